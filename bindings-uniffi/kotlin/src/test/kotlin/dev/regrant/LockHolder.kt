package dev.regrant

import java.nio.file.Path
import kotlin.io.path.exists
import kotlinx.coroutines.awaitCancellation

/** `FILE KEY RELEASED`: locks a storage forever, and prints whether the file RELEASED existed when it got the lock. */
suspend fun main(arguments: Array<String>) {
    val (file, key, released) = arguments.map(Path::of)
    val storage = EncryptedFileStorage(file, loadOrCreateKey(key))
    println("waiting")
    storage.lock()
    println(if (released.exists()) "locked after the release" else "locked too early")
    awaitCancellation()
}
