package dev.regrant

import java.io.File
import java.time.Duration
import java.time.Instant
import java.util.Base64
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.double
import kotlinx.serialization.json.int
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import kotlinx.serialization.json.long
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

/** The test vectors shared by all languages. */
class VectorTest {
    private val vectors = File(checkNotNull(System.getProperty("regrant.vectors")))
    private fun read(path: String): JsonElement = Json.parseToJsonElement(vectors.resolve(path).readText())
    private fun JsonObject.text(name: String) = getValue(name).jsonPrimitive.content

    @Test
    fun `error codes match the vector file`() {
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
    fun `verifies foreign tokens of every algorithm`() {
        val file = read("access/signatures.json").jsonObject
        val secret = file.text("secret").toByteArray()
        val policy = AccessPolicy(issuers = listOf("https://issuer.test"), audiences = listOf("api"))
        val seen = mutableSetOf<Algorithm>()
        for (entry in file.getValue("tokens").jsonArray.map { it.jsonObject }) {
            val algorithm = algorithmOf(entry)
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

    @Test
    fun `every token of the corpus has the expected result`() {
        val index = read("tokens/index.json").jsonObject
        val configured = read("tokens/verifiers.json").jsonObject
        val clock = ManualClock(NOW)
        val verifiers = configured.mapValues { (_, value) -> verifierOf(value.jsonObject, clock) }
        val problems = mutableListOf<String>()
        var run = 0
        for ((file, count) in index.getValue("files").jsonObject) {
            val cases = read("tokens/$file.json").jsonObject.getValue("cases").jsonArray
            assertEquals(count.jsonPrimitive.int, cases.size, file)
            for (case in cases.map { it.jsonObject }) {
                clock.instant = Instant.ofEpochMilli(Math.round(case.getValue("now").jsonPrimitive.double * 1000))
                val said = answer { verifiers.getValue(case.text("verifier")).verify(case.text("token")) }
                val expect = case.getValue("expect").jsonObject
                val expected = expect["code"]?.jsonPrimitive?.content ?: (expect.text("subject") + " " + expect.text("payload"))
                if (said != expected) problems += "$file: ${case.text("name")}: $said and not $expected"
                run++
            }
        }
        verifiers.values.forEach { it.close() }
        assertEquals(emptyList<String>(), problems)
        assertEquals(index.getValue("cases").jsonPrimitive.int, run)
        println("$run tokens of the corpus")
    }

    @Test
    fun `the verifier's constructor rejects every unfit key`() {
        val file = read("unfit-keys.json").jsonObject
        val cases = file.getValue("cases").jsonArray.map { it.jsonObject }
        val problems = cases.filter { case ->
            try {
                verifier(keys = listOf(keyOf(case.getValue("key").jsonObject))).close()
                true
            } catch (refusal: RegrantException) {
                refusal.code != "ERR_CONFIG_INVALID" || refusal.field != case.text("field")
            }
        }
        assertEquals(emptyList<String>(), problems.map { it.text("name") })
        assertEquals(file.getValue("count").jsonPrimitive.int, cases.size)
        println("${cases.size} unfit keys")
    }

    @Test
    fun `use, key_ops and alg of a JWK are enforced, in a set and alone`() {
        val policy = AccessPolicy(issuers = listOf("https://issuer.test"), audiences = listOf("api"))
        for (name in listOf("key-sets", "single-keys")) {
            val file = read("$name.json").jsonObject
            val cases = file.getValue("cases").jsonArray.map { it.jsonObject }
            val problems = cases.mapNotNull { case ->
                val clock = ManualClock(Instant.ofEpochSecond(case.getValue("now").jsonPrimitive.long))
                val said = answer {
                    val verifier = when (val set = case["jwks"]) {
                        null -> verifier(policy, listOf(VerificationKey(algorithmOf(case), KeyMaterial.Jwk(case.text("jwk")))), clock)
                        else -> AccessVerifier.fromJwks(set.jsonPrimitive.content, policy, clock)
                    }
                    verifier.use { it.verify(case.text("token")) }
                }
                val expect = case.getValue("expect").jsonObject
                val expected = expect["code"]?.jsonPrimitive?.content ?: (expect.text("subject") + " " + expect.text("payload"))
                "${case.text("name")}: $said and not $expected".takeIf { said != expected }
            }
            assertEquals(emptyList<String>(), problems, name)
            assertEquals(file.getValue("count").jsonPrimitive.int, cases.size, name)
            println("${cases.size} of $name")
        }
    }

    private fun algorithmOf(entry: JsonObject) = Algorithm.entries.single { it.name.replace("_", "") == entry.text("alg").uppercase() }

    private fun answer(verify: () -> AccessClaims): String = try {
        verify().run { "$subject $payloadJson" }
    } catch (refusal: RegrantException) {
        refusal.code
    }

    private fun keyOf(key: JsonObject): VerificationKey {
        val algorithm = algorithmOf(key)
        val material = key["secret"]?.let { KeyMaterial.Secret(Base64.getUrlDecoder().decode(it.jsonPrimitive.content)) }
            ?: KeyMaterial.PublicPem(key.text("publicKey"))
        return VerificationKey(algorithm, material, key["kid"]?.jsonPrimitive?.content)
    }

    private fun verifierOf(configuration: JsonObject, clock: Clock): AccessVerifier {
        val policy = configuration.getValue("policy").jsonObject
        fun texts(name: String) = policy[name]?.jsonArray.orEmpty().map { it.jsonPrimitive.content }
        fun seconds(name: String) = policy[name]?.let { Duration.ofSeconds(it.jsonPrimitive.long) }
        return verifier(
            AccessPolicy(
                issuers = texts("issuers"),
                audiences = texts("audiences"),
                leeway = seconds("leeway"),
                maxAge = seconds("maxAge"),
                requiredClaims = texts("requiredClaims"),
                subjectClaim = policy["subjectClaim"]?.jsonPrimitive?.content,
                maxTokenBytes = policy["maxTokenBytes"]?.jsonPrimitive?.int?.toUInt(),
                legacy = seconds("legacyMaxLifetime")?.let { LegacyTokens(it) },
            ),
            configuration.getValue("keys").jsonArray.map { keyOf(it.jsonObject) },
            clock,
        )
    }
}
