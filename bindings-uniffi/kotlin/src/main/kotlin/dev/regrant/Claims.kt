package dev.regrant

/** The value of the claim [name]; `null` if absent. */
fun AccessClaims.claim(name: String): ClaimValue? = claims[name]

/** The value as a string; `null` if it has another type. */
fun ClaimValue.asText(): String? = (this as? ClaimValue.Text)?.value

/** The value as an integer; `null` if it has another type. */
fun ClaimValue.asLong(): Long? = (this as? ClaimValue.Integer)?.value

/** The value as a number, integer or not; `null` if it has another type. */
fun ClaimValue.asDouble(): Double? = when (this) {
    is ClaimValue.Integer -> value.toDouble()
    is ClaimValue.Number -> value
    else -> null
}

/** The value as a boolean; `null` if it has another type. */
fun ClaimValue.asBoolean(): Boolean? = (this as? ClaimValue.Flag)?.value

/** An array or object as JSON text, for a JSON library; `null` if it has another type. */
fun ClaimValue.asJson(): String? = (this as? ClaimValue.Json)?.json
