package dev.regrant

/** This clock of the JDK as one for [AccessVerifier]: `Clock.fixed(…)` in tests, for example. */
fun java.time.Clock.forRegrant(): Clock {
    val clock = this
    return object : Clock {
        override fun now() = clock.instant()
    }
}
