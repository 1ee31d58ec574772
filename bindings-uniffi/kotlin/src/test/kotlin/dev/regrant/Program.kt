package dev.regrant

import java.util.concurrent.LinkedBlockingQueue
import java.util.concurrent.TimeUnit
import kotlin.concurrent.thread

/** Another JVM with the test classes. Killed by [close]. */
class Program private constructor(val process: Process) : AutoCloseable {
    private val lines = LinkedBlockingQueue<String>()
    private val reader = thread(isDaemon = true) { process.inputStream.bufferedReader().forEachLine(lines::put) }

    /** Waits for a line that begins with [start]. */
    fun says(start: String): String {
        val heard = mutableListOf<String>()
        while (true) {
            val line = lines.poll(60, TimeUnit.SECONDS) ?: error("it never said $start, but $heard")
            if (line.startsWith(start)) return line
            heard += line
        }
    }

    /** Waits for its end; returns the exit code and the remaining lines. */
    fun ends(): Pair<Int, List<String>> {
        check(process.waitFor(60, TimeUnit.SECONDS)) { "it does not end" }
        reader.join()
        return process.exitValue() to lines.toList()
    }

    override fun close() {
        process.destroyForcibly().waitFor()
    }

    companion object {
        fun start(main: String, vararg arguments: Any, environment: Map<String, String> = emptyMap(), input: String = ""): Program {
            val java = ProcessHandle.current().info().command().get()
            val properties = listOf("java.class.path", "jna.library.path").map { "-D$it=${System.getProperty(it)}" }
            // Many are started, so optimise for startup.
            val options = listOf("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto")
            val builder = ProcessBuilder(listOf(java) + options + properties + main + arguments.map(Any::toString))
            builder.environment() += environment
            val process = builder.redirectErrorStream(true).start()
            process.outputStream.use { it.write(input.toByteArray()) }
            return Program(process)
        }
    }
}
