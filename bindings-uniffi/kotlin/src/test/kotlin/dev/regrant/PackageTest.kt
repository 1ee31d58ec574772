package dev.regrant

import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

/** What the jar promises to the builds of apps. */
class PackageTest {
    @Test
    fun `the classes can be read by the oldest supported Kotlin`() {
        for (type in listOf(Session::class, SessionConfig::class, EncryptedFileStorage::class, dev.regrant.ktor.BearerConfig::class)) {
            val (major, minor) = checkNotNull(type.java.getAnnotation(Metadata::class.java)).metadataVersion.toList()
            assertTrue(major == 2 && minor <= 2, "$type has metadata of Kotlin $major.$minor")
        }
    }

    @Test
    fun `R8 finds its rules`() {
        val rules = checkNotNull(Session::class.java.getResource("/META-INF/proguard/regrant.pro")).readText()
        for (name in listOf("com.sun.jna", "dev.regrant")) assertTrue("-keep class $name.** { *; }" in rules, name)
    }
}
