import Foundation

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

/// Sends refreshes by a `URLSession`: without cookies, without a cache, and following no redirect,
/// because a refresh token goes to its endpoint and nowhere else.
public final class URLSessionTransport: Transport {
    private let session: URLSession
    private let isOwn: Bool

    /// With a `URLSession` of its own, by a configuration in which cookies and the cache are
    /// switched off.
    public init(configuration: URLSessionConfiguration = .ephemeral) {
        configuration.httpCookieStorage = nil
        configuration.httpShouldSetCookies = false
        configuration.urlCache = nil
        configuration.requestCachePolicy = .reloadIgnoringLocalCacheData
        session = URLSession(
            configuration: configuration, delegate: NoRedirects(), delegateQueue: nil)
        isOwn = true
    }

    /// With the app's own, for whoever pins certificates by its delegate. It should follow no
    /// redirects and keep no cookies.
    public init(session: URLSession) {
        self.session = session
        isOwn = false
    }

    deinit {
        // It would keep its delegate for ever.
        if isOwn { session.finishTasksAndInvalidate() }
    }

    public func send(request: HttpRequest) async throws -> HttpResponse {
        guard let url = URL(string: request.url) else {
            throw CallbackError.Failed(reason: "the endpoint is not a URL")
        }
        var sent = URLRequest(url: url)
        sent.httpMethod = request.method
        for header in request.headers {
            sent.setValue(header.value, forHTTPHeaderField: header.name)
        }
        if !request.body.isEmpty { sent.httpBody = request.body }
        let (body, response) = try await session.answer(to: sent)
        return HttpResponse(head: response, body: body)
    }
}

private final class NoRedirects: NSObject, URLSessionTaskDelegate {
    func urlSession(
        _ session: URLSession, task: URLSessionTask,
        willPerformHTTPRedirection response: HTTPURLResponse, newRequest request: URLRequest,
        completionHandler: @escaping (URLRequest?) -> Void
    ) {
        completionHandler(nil)
    }
}

extension URLSession {
    /// The answer to `request`. Cancelled with the task that waits for it, also where
    /// `data(for:)` does not exist.
    func answer(to request: URLRequest) async throws -> (Data, HTTPURLResponse) {
        let running = Running()
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let task = dataTask(with: request) { body, response, error in
                    if let response = response as? HTTPURLResponse {
                        continuation.resume(returning: (body ?? Data(), response))
                    } else {
                        continuation.resume(throwing: error ?? URLError(.badServerResponse))
                    }
                }
                running.start(task)
            }
        } onCancel: {
            running.cancel()
        }
    }
}

/// A task that may be cancelled before it has begun.
private final class Running: @unchecked Sendable {
    private let guarded = NSLock()
    private var task: URLSessionTask?
    private var isCancelled = false

    func start(_ task: URLSessionTask) {
        guarded.lock()
        self.task = task
        let isCancelled = isCancelled
        guarded.unlock()
        task.resume()
        if isCancelled { task.cancel() }
    }

    func cancel() {
        guarded.lock()
        isCancelled = true
        let task = task
        guarded.unlock()
        task?.cancel()
    }
}
