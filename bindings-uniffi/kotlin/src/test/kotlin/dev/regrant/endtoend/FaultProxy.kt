package dev.regrant.endtoend

import dev.regrant.Session
import dev.regrant.TokenPair
import dev.regrant.responseHead
import dev.regrant.readLogin
import java.net.URI
import java.net.http.HttpClient
import java.net.http.HttpRequest
import java.net.http.HttpRequest.BodyPublishers
import java.net.http.HttpResponse
import java.net.http.HttpResponse.BodyHandlers
import java.time.Duration
import kotlinx.coroutines.delay
import kotlinx.coroutines.future.await
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.double
import kotlinx.serialization.json.int
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import org.junit.jupiter.api.condition.EnabledIfEnvironmentVariable

/** The control address of the testbed in `tests/clients`. */
private const val BED = "REGRANT_E2E"

/** For tests that need the testbed. */
@EnabledIfEnvironmentVariable(named = BED, matches = ".+", disabledReason = "there is no testbed: cargo xtask test --only kotlin")
annotation class OverTheBed

val kills = System.getenv("REGRANT_E2E_KILLS")?.toInt() ?: 8
val expiries = System.getenv("REGRANT_E2E_EXPIRIES")?.toInt() ?: 3

/** Prints a result for the test report. */
fun report(line: String) = println("e2e: kotlin: $line")

/** A fault proxy to the Express example. */
class FaultProxy private constructor(private val control: String, val url: String, val accessTtl: Duration, val grace: Duration) {
    val refreshUrl = "$url/mobile/refresh"

    /** Replaces all faults. */
    suspend fun faults(faults: String) {
        ask("PUT", "$control/faults", faults)
    }

    suspend fun counts() = Counts(ask("GET", "$control/counts"))

    suspend fun countAnew() {
        ask("DELETE", "$control/counts")
    }

    /** Acts as a thief: see the README of the testbed. */
    suspend fun thief(how: String) {
        ask("POST", "$control/$how")
    }

    /** Waits until [count] responses to refreshes are held. */
    suspend fun untilHeld(count: Int) {
        val asked = System.nanoTime()
        while (counts().refreshes("held") != count) {
            check(System.nanoTime() - asked < 60_000_000_000) { "no refresh came" }
            delay(10)
        }
    }

    /** Signs up a new user over the proxy. */
    suspend fun signUp(name: String): TokenPair {
        val answer = ask("POST", "$url/mobile/signup", signUpBody(name))
        return checkNotNull(readLogin(answer.toString().toByteArray())) { "no tokens" }
    }

    /** Signs up with tokens bound to the key of [session]; returns the number of rejected proofs. */
    suspend fun signUpBound(name: String, session: Session): Int {
        val url = "$url/mobile/signup"
        for (refused in 0..1) {
            val proof = checkNotNull(session.proof("POST", url)) { "no key" }
            val answer = send("POST", url, signUpBody(name), "DPoP" to proof)
            val headers = answer.headers().map().flatMap { (name, values) -> values.map { name to it } }
            if (session.observeResponse(url, responseHead(answer.statusCode(), headers))) continue
            session.signIn(checkNotNull(readLogin(answer.body().toByteArray())) { answer.body() })
            return refused
        }
        error("the second proof was refused too")
    }

    private fun signUpBody(name: String) = """{"email":"${email(name)}","password":"correct horse battery"}"""

    fun email(name: String) = "kotlin-$name-${URI(url).port}@example.org"

    /** Waits until every access token has expired, in real time, which is the server's. */
    suspend fun untilExpired() = delay(accessTtl.toMillis())

    companion object {
        suspend fun open(): FaultProxy {
            val bed = checkNotNull(System.getenv(BED)) { "$BED must be the URL of the testbed" }
            val opened = ask("POST", "$bed/proxies").jsonObject
            fun text(name: String) = opened.getValue(name).jsonPrimitive
            fun span(name: String) = Duration.ofMillis((text(name).double * 1000).toLong())
            return FaultProxy("$bed/proxies/${text("id").content}", text("url").content, span("accessTtl"), span("grace"))
        }
    }
}

/** The counts of a proxy. */
class Counts(private val json: JsonElement) {
    /** A counter of refreshes: `arrived`, `presented`, `granted`, `lost` or `held`. */
    fun refreshes(what: String): Int = of("refreshes", what) ?: error("no count of $what: $json")

    /**
     * The number of refreshes that were granted, or put off (`ERR_REFRESH_SUPERSEDED`): a child whose answer was lost may be on its
     * way still.
     */
    fun grantedOrPutOff(): Int {
        val refused = json.jsonObject.getValue("refreshes").jsonObject.getValue("refused").jsonObject
        return refreshes("granted") + (refused["ERR_REFRESH_SUPERSEDED"]?.jsonPrimitive?.int ?: 0)
    }

    /** The number of calls with the response [status]. */
    fun calls(status: Int): Int = of("calls", "$status") ?: 0

    private fun of(group: String, name: String) = json.jsonObject.getValue(group).jsonObject[name]?.jsonPrimitive?.int

    override fun toString() = json.toString()
}

private val http: HttpClient = HttpClient.newHttpClient()

private suspend fun send(method: String, url: String, body: String?, vararg headers: Pair<String, String>): HttpResponse<String> {
    val sent = body?.let(BodyPublishers::ofString) ?: BodyPublishers.noBody()
    val request = HttpRequest.newBuilder(URI(url)).method(method, sent).header("content-type", "application/json")
    for ((name, value) in headers) request.header(name, value)
    return http.sendAsync(request.build(), BodyHandlers.ofString()).await()
}

/** Fails the test unless the status is a success. */
private suspend fun ask(method: String, url: String, body: String? = null): JsonElement {
    val answer = send(method, url, body)
    check(answer.statusCode() in 200..299) { "$url: ${answer.statusCode()} ${answer.body()}" }
    return if (answer.body().isEmpty()) JsonNull else Json.parseToJsonElement(answer.body())
}
