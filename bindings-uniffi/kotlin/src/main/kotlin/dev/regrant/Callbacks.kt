package dev.regrant

import java.util.concurrent.Executors
import kotlinx.coroutines.CoroutineDispatcher
import kotlinx.coroutines.asCoroutineDispatcher

/**
 * Runs what a session calls in the app: transport, storage, key. Its threads are not limited in number and not shared with
 * the app, whose threads may all be waiting for the session. A session makes one or two calls at a time. Idle threads end.
 */
internal val callbackDispatcher: CoroutineDispatcher = Executors.newCachedThreadPool { work ->
    Thread(work, "regrant-callback").apply { isDaemon = true }
}.asCoroutineDispatcher()
