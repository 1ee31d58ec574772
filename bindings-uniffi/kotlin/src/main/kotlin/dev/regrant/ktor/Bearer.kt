package dev.regrant.ktor

import dev.regrant.Session
import dev.regrant.TOKEN_HEADERS
import dev.regrant.authorize
import dev.regrant.responseHead
import io.ktor.client.plugins.api.ClientPlugin
import io.ktor.client.plugins.api.Send
import io.ktor.client.plugins.api.createClientPlugin
import io.ktor.client.statement.HttpResponse
import io.ktor.http.Url
import io.ktor.http.content.OutgoingContent

/** The configuration of [Bearer]. */
class BearerConfig {
    /** The session whose tokens are sent. */
    var session: Session? = null

    /** Which URLs are protected by the session's tokens. No other request carries one. */
    var isProtected: (Url) -> Boolean = { false }
}

/**
 * Adds an access token (RFC 6750 §2.1) to requests for protected URLs, with a DPoP proof if the token is bound to the
 * session's key (RFC 9449), and retries them once if the server rejects it. Requests with an `Authorization` or `accesstoken`
 * header are not changed. A request is retried only if its body is in memory: a channel, a file or a multipart form may be consumed
 * by the first attempt. Its token is renewed for the next request.
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
        val target = request.url.build()
        if (TOKEN_HEADERS.any { it in request.headers } || !isProtected(target)) return@on proceed(request)
        val url = request.url.buildString()
        val added = mutableSetOf<String>()
        try {
            session.authorize(
                request.method.value,
                url,
                head = { headOf(it.response) },
                isRepeatable = isRepeatable(request.body),
                from = { if (it.request.url == target) url else it.request.url.toString() },
            ) { headers ->
                for ((name, value) in headers) request.headers[name] = value
                headers.mapTo(added) { it.name }
                proceed(request)
            }
        } finally {
            // A redirect would send the headers along, possibly to another server.
            added.forEach { request.headers.remove(it) }
        }
    }
}

private fun isRepeatable(body: Any): Boolean = when (body) {
    is OutgoingContent.NoContent, is OutgoingContent.ByteArrayContent -> true
    is OutgoingContent.ContentWrapper -> isRepeatable(body.delegate())
    else -> false
}

private fun headOf(response: HttpResponse) = responseHead(
    response.status.value,
    response.headers.entries().flatMap { (name, values) -> values.map { name to it } },
)
