package dev.regrant

import java.io.File
import java.time.Instant
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

/** The files that every language is held to. */
class VectorTest {
    private val vectors = File(checkNotNull(System.getProperty("regrant.vectors")))
    private fun read(path: String): JsonElement = Json.parseToJsonElement(vectors.resolve(path).readText())
    private fun JsonObject.text(name: String) = getValue(name).jsonPrimitive.content

    @Test
    fun `the error codes are those of the vector file, in all their parts`() {
        val expected = read("errors.json").jsonArray
        assertTrue(expected.size >= 26, "only ${expected.size} entries")
        val actual = errorCodes().map { info ->
            JsonObject(
                mapOf(
                    "advice" to JsonPrimitive(info.advice.name.lowercase()),
                    "code" to JsonPrimitive(info.code),
                    "messages" to JsonObject(mapOf("en" to JsonPrimitive(info.messages.en), "ko" to JsonPrimitive(info.messages.ko))),
                    "status" to JsonPrimitive(info.status),
                    "wwwAuthenticate" to (info.wwwAuthenticate?.let(::JsonPrimitive) ?: JsonNull),
                ),
            )
        }
        assertEquals(expected.toList(), actual)
    }

    @Test
    fun `a token of every algorithm, signed by another program`() {
        val file = read("access/signatures.json").jsonObject
        val secret = file.text("secret").toByteArray()
        val policy = AccessPolicy(issuers = listOf("https://issuer.test"), audiences = listOf("api"))
        val seen = mutableSetOf<Algorithm>()
        for (entry in file.getValue("tokens").jsonArray.map { it.jsonObject }) {
            val algorithm = Algorithm.entries.single { it.name.replace("_", "") == entry.text("alg").uppercase() }
            val material = when (val key = entry.getValue("key")) {
                JsonNull -> KeyMaterial.Secret(secret)
                else -> KeyMaterial.PublicPem(vectors.resolve("keys/${key.jsonPrimitive.content}.public.pem").readText())
            }
            val keys = listOf(VerificationKey(algorithm, material))
            val claims = verifier(policy, keys, ManualClock(Instant.ofEpochSecond(1_700_000_899))).use { it.verify(entry.text("token")) }
            assertEquals("user-7", claims.subject, algorithm.name)
            assertEquals(file.text("payload"), claims.payloadJson, algorithm.name)
            seen += algorithm
        }
        assertEquals(Algorithm.entries.toSet(), seen)
    }
}
