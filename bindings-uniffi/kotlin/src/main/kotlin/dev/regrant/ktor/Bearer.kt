package dev.regrant.ktor

import dev.regrant.Session
import dev.regrant.responseHead
import dev.regrant.authorize
import io.ktor.client.plugins.api.ClientPlugin
import io.ktor.client.plugins.api.Send
import io.ktor.client.plugins.api.createClientPlugin
import io.ktor.client.statement.HttpResponse
import io.ktor.http.HttpHeaders
import io.ktor.http.Url

/** The configuration of [Bearer]. */
class BearerConfig {
    /** The session whose tokens are sent. */
    var session: Session? = null

    /** Which URLs are protected by the session's tokens. No other request carries one. */
    var isProtected: (Url) -> Boolean = { false }
}

/**
 * Adds an access token (RFC 6750 §2.1) to requests for protected URLs, with a DPoP proof if the token is bound to the
 * session's key (RFC 9449), and retries them once if the server rejects it. Requests with an `Authorization` header are not changed.
 *
 * ```kotlin
 * val client = HttpClient { install(Bearer) { session = mine; isProtected = { it.host == "api.example" } } }
 * ```
 *
 * Without a token the request fails with `RegrantException`.
 */
val Bearer: ClientPlugin<BearerConfig> = createClientPlugin("RegrantBearer", ::BearerConfig) {
    val session = requireNotNull(pluginConfig.session) { "session is required" }
    val isProtected = pluginConfig.isProtected
    on(Send) { request ->
        if (HttpHeaders.Authorization in request.headers || !isProtected(request.url.build())) return@on proceed(request)
        val url = request.url.buildString()
        try {
            session.authorize(request.method.value, url, { headOf(it.response) }) { headers ->
                for ((name, value) in headers) request.headers[name] = value
                proceed(request)
            }
        } finally {
            // A redirect would send the headers along, possibly to another server.
            request.headers.remove(HttpHeaders.Authorization)
            request.headers.remove(PROOF)
        }
    }
}

private const val PROOF = "DPoP"

private fun headOf(response: HttpResponse) = responseHead(
    response.status.value,
    response.headers.entries().flatMap { (name, values) -> values.map { name to it } },
)
