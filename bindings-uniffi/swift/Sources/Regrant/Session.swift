import Foundation

extension Session {
    /// A session over `storage`, whose tokens are renewed at `url` as the Express handler
    /// `refreshHandler(auth, { cookie: false })` does it. The other initialiser sets everything.
    /// `proofKey` is what the tokens are to be bound to: see `ProofKey`.
    public convenience init(
        refreshingAt url: URL, storage: TokenStorage, transport: Transport = URLSessionTransport(),
        proofKey: ProofKey? = nil
    ) throws {
        let endpoint = RefreshEndpoint(url: url.absoluteString)
        try self.init(
            config: SessionConfig(endpoint: endpoint), transport: transport, storage: storage,
            proofKey: proofKey)
    }

    /// The state now, and every one that follows; of several in a row perhaps only the last.
    ///
    /// The stream ends with the task that reads it. Then it lets go of the session, but not before
    /// the next change: keep one stream for as long as the session.
    public var states: AsyncStream<SessionState> {
        AsyncStream(bufferingPolicy: .bufferingNewest(1)) { continuation in
            let task = Task { [weak self] in
                guard var state = self?.state() else { return continuation.finish() }
                continuation.yield(state)
                while !Task.isCancelled, let session = self {
                    state = await session.nextState(after: state)
                    continuation.yield(state)
                }
                continuation.finish()
            }
            continuation.onTermination = { _ in task.cancel() }
        }
    }

    /// Makes a request with an access token, and once more with another one if the server does not
    /// take the first: `isUnauthorized` tells by its answer, which is most often status 401. An
    /// answer that stays unauthorized is returned, not thrown.
    ///
    /// For whatever sends requests. For `URLSession` there is `data(for:)`.
    ///
    /// A task that is cancelled does not wait for a token any more. The refresh goes on, and its
    /// tokens are kept.
    public func authorize<Answer>(
        isolation: isolated (any Actor)? = #isolation,
        _ send: (_ accessToken: String) async throws -> Answer,
        isUnauthorized: (Answer) -> Bool
    ) async throws -> Answer {
        let token = try await unlessCancelled { try await self.accessToken() }
        let answer = try await send(token)
        guard isUnauthorized(answer) else { return answer }
        let another = try await unlessCancelled { try await self.tokenForRetry(refused: token) }
        guard let another else { return answer }
        return try await send(another)
    }

    /// As above for the request of `method` to `url`, whose token may be bound to the key of the
    /// session (DPoP, RFC 9449): it carries `headers`, and is sent once more with others where its
    /// answer says so, of which `head` gives status and headers (`HttpResponse(head:)`); not where it
    /// cannot be sent twice.
    public func authorize<Answer>(
        isolation: isolated (any Actor)? = #isolation, method: String, url: URL,
        isRepeatable: Bool = true,
        _ send: (_ headers: [HttpHeader]) async throws -> Answer,
        head: (Answer) -> HttpResponse
    ) async throws -> Answer {
        let address = url.absoluteString
        let authorization = try await unlessCancelled {
            try await self.authorization(method: method, url: address)
        }
        let answer = try await send(authorization.headers())
        let seen = head(answer)
        guard authorization.heeds(status: seen.status) else { return answer }
        let another = try await unlessCancelled {
            try await self.authorizationForRetry(refused: authorization, answer: seen)
        }
        guard let another, isRepeatable else { return answer }
        let last = try await send(another.headers())
        // It was the second time: what may be in its answer is for the next request.
        _ = learn(url: address, answer: head(last))
        return last
    }
}

/// What `work` gives, unless the task that waits for it is cancelled before. What is written in Rust
/// takes no notice of that: it goes on, and nobody waits for it.
func unlessCancelled<T: Sendable>(
    _ work: @escaping @Sendable () async throws -> T
) async throws -> T {
    let outcome = Outcome<T>()
    return try await withTaskCancellationHandler {
        try await withCheckedThrowingContinuation { continuation in
            outcome.awaited(by: continuation)
            Task {
                do { outcome.settle(.success(try await work())) } catch { outcome.settle(.failure(error)) }
            }
        }
    } onCancel: {
        outcome.settle(.failure(CancellationError()))
    }
}

/// The first of several outcomes.
private final class Outcome<T: Sendable>: @unchecked Sendable {
    private let guarded = NSLock()
    private var continuation: CheckedContinuation<T, Error>?
    private var settled: Result<T, Error>?

    func awaited(by continuation: CheckedContinuation<T, Error>) {
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
