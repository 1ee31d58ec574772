package dev.regrant.endtoend

import com.sun.jna.NativeLibrary
import dev.regrant.HttpRequest
import dev.regrant.RefreshEndpoint
import dev.regrant.Session
import dev.regrant.SessionConfig
import dev.regrant.TokenStorage
import dev.regrant.Transport
import dev.regrant.jvm.JdkTransport
import java.nio.file.Path
import kotlin.io.path.writeBytes

/** When the process is killed: always after the server's response. */
enum class Moment {
    /** Before the response is read. */
    ANSWERED,

    /** Before the pair is written. */
    STORING,

    /** After half of the temporary file was written. */
    HALF_STORED,

    /** After the write, before it is reported. */
    STORED;

    fun strikes(at: Moment) {
        if (this != at) return
        val sigkill = 9
        val process = ProcessHandle.current().pid().toInt()
        NativeLibrary.getInstance("c").getFunction("kill").invokeInt(arrayOf(process, sigkill))
    }
}

private class FatalTransport(private val inner: Transport, private val moment: Moment) : Transport {
    override suspend fun send(request: HttpRequest) = inner.send(request).also { moment.strikes(Moment.ANSWERED) }
}

private class FatalStorage(private val inner: TokenStorage, private val folder: Path, private val moment: Moment) : TokenStorage by inner {
    override suspend fun write(value: ByteArray) {
        moment.strikes(Moment.STORING)
        if (moment == Moment.HALF_STORED) {
            folder.resolve("session.next").writeBytes(value.copyOf(value.size / 2))
            moment.strikes(Moment.HALF_STORED)
        }
        inner.write(value)
        moment.strikes(Moment.STORED)
    }
}

/** `REFRESH_URL FOLDER MOMENT`: an app that is killed during a refresh. */
suspend fun main(arguments: Array<String>) {
    val (url, path, name) = arguments
    val (folder, moment) = Path.of(path) to Moment.valueOf(name)
    val storage = FatalStorage(App.storage(folder), folder, moment)
    Session(SessionConfig(RefreshEndpoint(url)), FatalTransport(JdkTransport(), moment), storage).use { session ->
        val token = session.accessToken()
        // The token was still valid: renew it anyway.
        session.renew(token)
    }
}
