package dev.regrant

import java.io.File
import java.util.jar.JarFile
import javax.xml.parsers.DocumentBuilderFactory
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.w3c.dom.Element

/** What the artifacts promise to the builds of apps, and what Maven Central wants of them. */
class PackageTest {
    private val built = File(System.getProperty("regrant.built"))
    private val project = DocumentBuilderFactory.newInstance().newDocumentBuilder().parse(File("pom.xml")).documentElement

    private fun Element.all(name: String): List<Element> = childNodes.run { (0 until length).map(::item) }.filterIsInstance<Element>().filter { it.tagName == name }

    /** The text of the element at [path], with the properties of the project replaced; empty if there is none. */
    private fun Element.text(path: String): String {
        val found = path.split("/").fold(listOf(this)) { elements, name -> elements.flatMap { it.all(name) } }
        return Regex("""\$\{(.+?)}""").replace(found.firstOrNull()?.textContent?.trim().orEmpty()) { project.text("properties/${it.groupValues[1]}") }
    }

    private val version = project.text("version")

    /** What an app gets along, as `group:artifact:version`. */
    private val dependencies = project.all("dependencies").single().all("dependency")
        .filter { it.text("scope") != "test" && it.text("optional") != "true" }
        .map { "${it.text("groupId")}:${it.text("artifactId")}:${it.text("version")}" }

    @Test
    fun `the classes can be read by the oldest supported Kotlin and Java`() {
        for (type in listOf(Session::class, SessionConfig::class, EncryptedFileStorage::class, dev.regrant.ktor.BearerConfig::class)) {
            val (major, minor) = checkNotNull(type.java.getAnnotation(Metadata::class.java)).metadataVersion.toList()
            assertTrue(major == 2 && minor <= 2, "$type has metadata of Kotlin $major.$minor")
            val bytes = checkNotNull(type.java.getResourceAsStream("/${type.java.name.replace('.', '/')}.class")).use { it.readBytes() }
            // JVMS 4.1: the major version of Java 11 is 55.
            assertEquals(project.text("properties/kotlin.compiler.jvmTarget").toInt() + 44, bytes[7].toInt())
        }
    }

    @Test
    fun `R8 finds its rules`() {
        val rules = checkNotNull(Session::class.java.getResource("/META-INF/proguard/regrant.pro")).readText()
        for (name in listOf("com.sun.jna", "dev.regrant")) assertTrue("-keep class $name.** { *; }" in rules, name)
    }

    /** https://central.sonatype.org/publish/requirements */
    @Test
    fun `the POM has what Maven Central wants`() {
        val wanted = listOf(
            "groupId", "artifactId", "version", "name", "description", "url", "licenses/license/name", "licenses/license/url",
            "developers/developer/name", "scm/connection", "scm/developerConnection", "scm/url",
        )
        for (path in wanted) assertTrue(project.text(path).isNotEmpty(), path)
    }

    /** The lines of Gradle's specification that a build depends on. */
    @Test
    fun `Gradle's metadata says what the POM says`() {
        val text = built.resolve("gradle/regrant.module").readText()
        assertTrue("${'$'}{" !in text, "a property was not replaced")
        val metadata = Json.parseToJsonElement(text).jsonObject
        fun JsonObject.value(name: String) = getValue(name).jsonPrimitive.content
        assertEquals("1.1", metadata.value("formatVersion"))
        val component = metadata.getValue("component").jsonObject
        assertEquals(listOf("groupId", "artifactId", "version").map { project.text(it) }, listOf("group", "module", "version").map { component.value(it) })
        // Gradle looks for exactly this comment.
        assertTrue("<!-- do_not_remove: published-with-gradle-metadata -->" in File("pom.xml").readText())

        val variants = metadata.getValue("variants").jsonArray.map { it.jsonObject }.associateBy { it.value("name") }
        val suffixes = mapOf("apiElements" to "", "runtimeElements" to "", "javadocElements" to "-javadoc", "sourcesElements" to "-sources")
        assertEquals(suffixes.keys, variants.keys)
        for ((name, suffix) in suffixes) {
            val file = variants.getValue(name).getValue("files").jsonArray.single().jsonObject
            assertEquals(List(2) { "regrant-$version$suffix.jar" }, listOf("name", "url").map { file.value(it) }, name)
        }
        for ((name, usage) in mapOf("apiElements" to "java-api", "runtimeElements" to "java-runtime")) {
            val variant = variants.getValue(name)
            val attributes = variant.getValue("attributes").jsonObject
            assertEquals(usage, attributes.value("org.gradle.usage"))
            assertEquals("library", attributes.value("org.gradle.category"))
            assertEquals(project.text("properties/kotlin.compiler.jvmTarget"), attributes.value("org.gradle.jvm.version"))
            val wanted = variant.getValue("dependencies").jsonArray.map { it.jsonObject }.map {
                "${it.value("group")}:${it.value("module")}:${it.getValue("version").jsonObject.value("requires")}"
            }
            assertEquals(dependencies, wanted, name)
        }
    }

    private fun entries(suffix: String) =
        JarFile(built.resolve("regrant-$version$suffix.jar")).use { jar -> jar.stream().filter { !it.isDirectory }.map { it.name }.toList() }

    @Test
    fun `the jar has the library and nothing else`() {
        val entries = entries("")
        for (name in listOf("dev/regrant/Session.class", "dev/regrant/okhttp/OkHttpTransport.class", "dev/regrant/ktor/BearerConfig.class", "META-INF/proguard/regrant.pro")) {
            assertTrue(name in entries, name)
        }
        // JNA looks for native libraries in a folder per platform.
        val own = Regex("""META-INF/.+|dev/regrant/.+|(linux|darwin|win32)-[^/]+/.*regrant_uniffi\.\w+""")
        assertEquals(emptyList<String>(), entries.filterNot(own::matches))
        assertEquals(emptyList<String>(), entries.filter { "Test" in it || "endtoend" in it })
        val manifest = JarFile(built.resolve("regrant-$version.jar")).use { it.manifest.mainAttributes }
        assertEquals("dev.regrant", manifest.getValue("Automatic-Module-Name"))
    }

    /** An IDE shows them, with the documentation in them. */
    @Test
    fun `the sources are those of all classes, also the generated ones`() {
        val entries = entries("-sources")
        val written = File("src/main/kotlin").run { walk().filter { it.isFile }.map { it.relativeTo(this).path }.toList() }
        assertEquals(emptyList<String>(), (written + "dev/regrant/regrant.kt").filterNot(entries::contains))
    }

    @Test
    fun `the jar for javadoc has the readme`() {
        assertTrue("README.md" in entries("-javadoc"))
    }
}
