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

/** A file that only its owner can read, replaced atomically: after a crash it has the old content or the new. */
internal class DurableFile(private val path: Path) {
    private val next = sibling(path, ".next")

    fun read(): ByteArray? = try {
        Files.readAllBytes(path)
    } catch (_: NoSuchFileException) {
        null
    }

    fun write(content: ByteArray) {
        // Left by a process that was killed.
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

    /** A renamed file survives a power failure only if its folder is synced too. */
    private fun syncFolder() {
        try {
            FileChannel.open(path.parent, READ).use { it.force(true) }
        } catch (thrown: IOException) {
            // Windows cannot open folders, and need not.
            if (isPosix(path)) throw thrown
        }
    }
}

internal fun sibling(path: Path, suffix: String): Path = path.resolveSibling("${path.fileName}$suffix")

/** Attributes for a new file that only its owner can read. */
internal fun ownerOnly(path: Path): Array<FileAttribute<*>> =
    if (isPosix(path)) arrayOf(PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------"))) else emptyArray()

private fun isPosix(path: Path) = "posix" in path.fileSystem.supportedFileAttributeViews()
