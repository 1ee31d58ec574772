package dev.regrant

import java.io.IOException
import java.nio.ByteBuffer
import java.nio.channels.FileChannel
import java.nio.file.Files
import java.nio.file.NoSuchFileException
import java.nio.file.Path
import java.nio.file.StandardCopyOption.ATOMIC_MOVE
import java.nio.file.StandardCopyOption.REPLACE_EXISTING
import java.nio.file.StandardOpenOption.CREATE_NEW
import java.nio.file.StandardOpenOption.READ
import java.nio.file.StandardOpenOption.WRITE
import java.nio.file.attribute.FileAttribute
import java.nio.file.attribute.PosixFilePermissions

/** A file that its owner alone can read, replaced as a whole: whoever is killed leaves the old content or the new. */
internal class DurableFile(private val path: Path) {
    private val next = beside(path, ".next")

    fun read(): ByteArray? = try {
        Files.readAllBytes(path)
    } catch (_: NoSuchFileException) {
        null
    }

    fun write(content: ByteArray) {
        // What somebody who was killed has left.
        Files.deleteIfExists(next)
        FileChannel.open(next, setOf(CREATE_NEW, WRITE), *ownerOnly(next)).use { channel ->
            val buffer = ByteBuffer.wrap(content)
            while (buffer.hasRemaining()) channel.write(buffer)
            channel.force(true)
        }
        Files.move(next, path, ATOMIC_MOVE, REPLACE_EXISTING)
        syncFolder()
    }

    fun remove() {
        if (Files.deleteIfExists(path)) syncFolder()
    }

    /** A renamed file is there after a power failure only when its folder is on disk too. */
    private fun syncFolder() {
        try {
            FileChannel.open(path.parent, READ).use { it.force(true) }
        } catch (thrown: IOException) {
            // Windows does not open folders, nor need it.
            if (isPosix(path)) throw thrown
        }
    }
}

internal fun beside(path: Path, suffix: String): Path = path.resolveSibling("${path.fileName}$suffix")

/** For a file that is about to be created: nobody else may read it. */
internal fun ownerOnly(path: Path): Array<FileAttribute<*>> =
    if (isPosix(path)) arrayOf(PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------"))) else emptyArray()

private fun isPosix(path: Path) = "posix" in path.fileSystem.supportedFileAttributeViews()
