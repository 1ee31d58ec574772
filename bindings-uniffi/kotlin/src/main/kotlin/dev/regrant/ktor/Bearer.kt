package dev.regrant.ktor

import dev.regrant.Session
import dev.regrant.answerHead
import dev.regrant.authorize
import io.ktor.client.plugins.api.ClientPlugin
import io.ktor.client.plugins.api.Send
import io.ktor.client.plugins.api.createClientPlugin
import io.ktor.client.statement.HttpResponse
import io.ktor.http.HttpHeaders
import io.ktor.http.Url

/** What [Bearer] needs to know. */
class BearerConfig {
    /** Whose tokens the calls carry. */
    var session: Session? = null

    /** Which calls go to the app's own server: no other gets a token. */
    var isOwn: (Url) -> Boolean = { false }
}

/**
 * Calls to the app's own server carry an access token (RFC 6750 §2.1), with a proof of the session's key where the token is
 * bound to it (RFC 9449), and are repeated once with another one where the answer is 401. Those that have a header `Authorization` already are left alone.
 *
 * ```kotlin
 * val client = HttpClient { install(Bearer) { session = mine; isOwn = { it.host == "api.example" } } }
 * ```
 *
 * Where there is no token the call fails with `RegrantException`.
 */
val Bearer: ClientPlugin<BearerConfig> = createClientPlugin("RegrantBearer", ::BearerConfig) {
    val session = requireNotNull(pluginConfig.session) { "the plugin needs a session" }
    val isOwn = pluginConfig.isOwn
    on(Send) { request ->
        if (HttpHeaders.Authorization in request.headers || !isOwn(request.url.build())) return@on proceed(request)
        val url = request.url.buildString()
        try {
            session.authorize(request.method.value, url, { headOf(it.response) }) { headers ->
                for ((name, value) in headers) request.headers[name] = value
                proceed(request)
            }
        } finally {
            // A redirect takes the headers along, and may leave the server.
            request.headers.remove(HttpHeaders.Authorization)
            request.headers.remove(PROOF)
        }
    }
}

private const val PROOF = "DPoP"

private fun headOf(response: HttpResponse) = answerHead(
    response.status.value,
    response.headers.entries().flatMap { (name, values) -> values.map { name to it } },
)
