// A user on the command line, against the Express example (`cargo xtask demo`).
//
//   sign-up EMAIL      a new account; asks for a password
//   sign-in EMAIL
//   me                 one call; refreshes the token when needed
//   watch              a call every second, until Ctrl-C
//   sign-out
//
// REGRANT_SERVER is the server (http://localhost:3000), REGRANT_SAMPLE_FOLDER where the tokens are stored
// (.regrant-sample in the home folder). Concurrent runs share the tokens.
package sample

import dev.regrant.Advice
import dev.regrant.HttpHeader
import dev.regrant.EncryptedFileStorage
import dev.regrant.RefreshEndpoint
import dev.regrant.RegrantException
import dev.regrant.Session
import dev.regrant.SessionConfig
import dev.regrant.advice
import dev.regrant.asLong
import dev.regrant.authorize
import dev.regrant.decodeUnverified
import dev.regrant.jvm.JdkTransport
import dev.regrant.readLogin
import dev.regrant.responseHead
import dev.regrant.retryAfter
import dev.regrant.loadOrCreateKey
import dev.regrant.SignOutOutcome
import dev.regrant.signOut
import dev.regrant.states
import java.io.IOException
import java.net.URI
import java.net.http.HttpClient
import java.net.http.HttpRequest
import java.net.http.HttpRequest.BodyPublishers
import java.net.http.HttpResponse
import java.net.http.HttpResponse.BodyHandlers
import java.nio.file.Files
import java.nio.file.Path
import kotlin.system.exitProcess
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.delay
import kotlinx.coroutines.future.await
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking

private val server = System.getenv("REGRANT_SERVER") ?: "http://localhost:3000"
private val folder = Path.of(System.getenv("REGRANT_SAMPLE_FOLDER") ?: (System.getProperty("user.home") + "/.regrant-sample"))

// The endpoint that refreshes tokens, and the storage.
private val session by lazy {
    Files.createDirectories(folder)
    val storage = EncryptedFileStorage(folder.resolve("session"), loadOrCreateKey(folder.resolve("key")))
    Session(SessionConfig(RefreshEndpoint("$server/mobile/refresh")), JdkTransport(), storage)
}

fun main(arguments: Array<String>) = runBlocking {
    val (command, email) = arguments.getOrNull(0) to arguments.getOrNull(1)
    try {
        when {
            command == "sign-up" && email != null -> signIn("/mobile/signup", email)
            command == "sign-in" && email != null -> signIn("/mobile/login", email)
            command == "me" -> println(me().run { "${statusCode()} ${body()}" })
            command == "watch" -> watch()
            command == "sign-out" -> signOut()
            else -> fail("usage: sign-up EMAIL | sign-in EMAIL | me | watch | sign-out")
        }
    } catch (refusal: RegrantException) {
        when (refusal.advice) {
            Advice.SIGN_IN -> fail("Sign in: ${refusal.signOut}")
            Advice.RETRY -> fail("Try again in ${refusal.retryAfter?.toSeconds()} s: ${refusal.message}")
            Advice.REFRESH, Advice.REJECT, Advice.FIX -> fail("${refusal.message}")
        }
    } catch (thrown: IOException) {
        fail("$server: $thrown")
    }
}

/** The app's own request; its response contains the pair that the session manages from then on. */
private suspend fun signIn(path: String, email: String) {
    val answer = send("POST", path, body = """{"email":${quoted(email)},"password":${quoted(password())}}""")
    session.signIn(readLogin(answer.body().toByteArray()) ?: fail("${answer.statusCode()} ${answer.body()}"))
    println("signed in")
}

/** A protected resource. Every request of an app looks like this. */
private suspend fun me() = authorized("GET", "/api/me")

private suspend fun authorized(method: String, path: String) =
    session.authorize(method, server + path, ::headOf) { headers -> send(method, path, headers) }

private fun headOf(answer: HttpResponse<*>) =
    responseHead(answer.statusCode(), answer.headers().map().flatMap { (name, values) -> values.map { name to it } })

private suspend fun watch(): Unit = coroutineScope {
    launch { session.states.collect { println("state: $it") } }
    var last: String? = null
    while (true) {
        val token = session.accessToken()
        if (last != null && last != token) println("a new access token")
        last = token
        val expires = decodeUnverified(token).claims["exp"]?.asLong() ?: 0
        println("${me().statusCode()}, the access token lives ${expires - System.currentTimeMillis() / 1000} s more")
        delay(1000)
    }
}

/** Deletes the tokens here and revokes the session on the server. */
private suspend fun signOut() {
    println(if (session.signOut() == SignOutOutcome.PENDING) "signed out; the server is told later" else "signed out")
}

private val http = HttpClient.newHttpClient()

private suspend fun send(method: String, path: String, headers: List<HttpHeader> = emptyList(), body: String = ""): HttpResponse<String> {
    val request = HttpRequest.newBuilder(URI(server + path)).method(method, BodyPublishers.ofString(body))
    request.header("Content-Type", "application/json")
    for ((name, value) in headers) request.header(name, value)
    return http.sendAsync(request.build(), BodyHandlers.ofString()).await()
}

/** Reads a line from the terminal without echo. */
private fun password(): String {
    System.console()?.let { return String(it.readPassword("Password: ")) }
    return readlnOrNull() ?: ""
}

private fun quoted(text: String) = '"' + text.replace("\\", "\\\\").replace("\"", "\\\"") + '"'

private fun fail(text: String): Nothing {
    System.err.println(text)
    exitProcess(1)
}
