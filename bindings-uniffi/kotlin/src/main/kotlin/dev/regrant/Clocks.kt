package dev.regrant

/** Adapts a JDK clock for [AccessVerifier] and [Session], for example `Clock.fixed(…)` in tests. */
fun java.time.Clock.asRegrantClock(): Clock {
    val clock = this
    return object : Clock {
        override fun now() = clock.instant()
    }
}
