import Foundation

extension Session {
    /// A session over `storage` that refreshes its tokens at `url`, as served by the Express handler
    /// `refreshHandler(auth)` with `web.refreshCookie: false`. The other initializer has all options.
    /// `proofKey` is the key to bind the tokens to: see `ProofKey`.
    public convenience init(
        refreshingAt url: URL, storage: TokenStorage, transport: Transport = URLSessionTransport(),
        proofKey: ProofKey? = nil
    ) throws {
        let endpoint = RefreshEndpoint(url: url.absoluteString)
        try self.init(
            config: SessionConfig(endpoint: endpoint), transport: transport, storage: storage,
            proofKey: proofKey)
    }

    /// The current state and its changes; of several quick changes, possibly only the last.
    ///
    /// The stream ends with the task that reads it, and releases the session on the next change of
    /// the state: keep one stream for the lifetime of the session.
    public var states: AsyncStream<SessionState> {
        AsyncStream(bufferingPolicy: .bufferingNewest(1)) { continuation in
            let task = Task { [weak self] in
                guard var state = self?.state() else { return continuation.finish() }
                continuation.yield(state)
                while !Task.isCancelled, let next = await self?.nextState(after: state) {
                    state = next
                    continuation.yield(state)
                }
                continuation.finish()
            }
            continuation.onTermination = { _ in task.cancel() }
        }
    }

    /// Makes a request of `method` to `url` with an access token, and with a DPoP proof if the token is
    /// bound to the session's key (RFC 9449): `send` adds `headers` to it. Retries it once if the
    /// server rejects the token or the proof, unless `isRepeatable` is false, because `send` cannot send
    /// the body again: a stream, for example. `head` returns the status and headers of a response
    /// (`HttpResponse(head:)`). Returns every response, whatever its status.
    ///
    /// For any HTTP client. For `URLSession` use `data(for:)`.
    ///
    /// A cancelled task stops waiting for a token. The refresh continues, and its tokens are stored.
    public func authorize<Response>(
        isolation: isolated (any Actor)? = #isolation, method: String, url: URL,
        isRepeatable: Bool = true,
        _ send: (_ headers: [HttpHeader]) async throws -> Response,
        head: (Response) -> HttpResponse
    ) async throws -> Response {
        try await authorize(
            isolation: isolation, method: method, url: url, isRepeatable: isRepeatable, send,
            head: head, from: { _ in nil })
    }

    /// The same for a client that follows redirects: `from` is the URL that a response came from.
    // Not a default of `from`, which the Swift 6.0 compiler cannot check where the caller is isolated.
    public func authorize<Response>(
        isolation: isolated (any Actor)? = #isolation, method: String, url: URL,
        isRepeatable: Bool = true,
        _ send: (_ headers: [HttpHeader]) async throws -> Response,
        head: (Response) -> HttpResponse,
        from: (Response) -> URL?
    ) async throws -> Response {
        var attempt = try await unlessCancelled {
            try await self.attempt(method: method, url: url.absoluteString)
        }
        while true {
            let response = try await send(attempt.headers())
            let (sent, answer, origin) = (attempt, head(response), from(response)?.absoluteString)
            let next = try await unlessCancelled {
                try await self.nextAttempt(attempt: sent, response: answer, from: origin)
            }
            guard let next, isRepeatable else { return response }
            attempt = next
        }
    }
}

/// The result of `work`, unless the current task is cancelled first. Futures in Rust ignore the
/// cancellation: they continue, and nobody waits for them.
func unlessCancelled<T: Sendable>(
    _ work: @escaping @Sendable () async throws -> T
) async throws -> T {
    let result = FirstResult<T>()
    return try await withTaskCancellationHandler {
        try await withCheckedThrowingContinuation { continuation in
            result.attach(continuation)
            Task {
                do { result.settle(.success(try await work())) } catch { result.settle(.failure(error)) }
            }
        }
    } onCancel: {
        result.settle(.failure(CancellationError()))
    }
}

/// The first of several results.
private final class FirstResult<T: Sendable>: @unchecked Sendable {
    private let guarded = NSLock()
    private var continuation: CheckedContinuation<T, Error>?
    private var settled: Result<T, Error>?

    func attach(_ continuation: CheckedContinuation<T, Error>) {
        guarded.lock()
        let early = settled
        if early == nil { self.continuation = continuation }
        guarded.unlock()
        if let early { continuation.resume(with: early) }
    }

    func settle(_ result: Result<T, Error>) {
        guarded.lock()
        let waiting = continuation
        continuation = nil
        settled = settled ?? result
        guarded.unlock()
        waiting?.resume(with: result)
    }
}
