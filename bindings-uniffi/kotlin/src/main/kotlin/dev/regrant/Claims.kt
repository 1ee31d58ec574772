package dev.regrant

/** The value of the claim [name], the app's own claims included; `null` when it is absent. */
fun AccessClaims.claim(name: String): ClaimValue? = claims[name]

/** The value as text; `null` when it is of another kind. */
fun ClaimValue.asText(): String? = (this as? ClaimValue.Text)?.value

/** The value as a whole number; `null` when it is of another kind. */
fun ClaimValue.asLong(): Long? = (this as? ClaimValue.Integer)?.value

/** The value as a number, whole or not; `null` when it is of another kind. */
fun ClaimValue.asDouble(): Double? = when (this) {
    is ClaimValue.Integer -> value.toDouble()
    is ClaimValue.Number -> value
    else -> null
}

/** The value as `true` or `false`; `null` when it is of another kind. */
fun ClaimValue.asBoolean(): Boolean? = (this as? ClaimValue.Flag)?.value

/** An array or an object as JSON text, for the app's own JSON library; `null` when it is of another kind. */
fun ClaimValue.asJson(): String? = (this as? ClaimValue.Json)?.json
