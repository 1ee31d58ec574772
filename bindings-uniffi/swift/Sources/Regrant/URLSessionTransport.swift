import Foundation

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

/// A transport over `URLSession`, without cookies, cache and redirects: a refresh token must be sent to
/// its endpoint only.
public final class URLSessionTransport: Transport {
    private let session: URLSession
    private let ownsSession: Bool

    /// Creates its own `URLSession` from `configuration`, with cookies and cache disabled.
    public init(configuration: URLSessionConfiguration = .ephemeral) {
        configuration.httpCookieStorage = nil
        configuration.httpShouldSetCookies = false
        configuration.urlCache = nil
        configuration.requestCachePolicy = .reloadIgnoringLocalCacheData
        session = URLSession(
            configuration: configuration, delegate: NoRedirects(), delegateQueue: nil)
        ownsSession = true
    }

    /// Uses the app's `URLSession`, for example to pin certificates in its delegate. It should follow
    /// no redirects and store no cookies.
    public init(session: URLSession) {
        self.session = session
        ownsSession = false
    }

    deinit {
        // Otherwise the URLSession keeps its delegate forever.
        if ownsSession { session.finishTasksAndInvalidate() }
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
        let (body, response) = try await session.response(to: sent)
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
    /// Sends `request`. Cancelled with the current task, also on platforms without `data(for:)`.
    func response(to request: URLRequest) async throws -> (Data, HTTPURLResponse) {
        let cancellable = CancellableTask()
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let task = dataTask(with: request) { body, response, error in
                    if let response = response as? HTTPURLResponse {
                        continuation.resume(returning: (body ?? Data(), response))
                    } else {
                        continuation.resume(throwing: error ?? URLError(.badServerResponse))
                    }
                }
                cancellable.start(task)
            }
        } onCancel: {
            cancellable.cancel()
        }
    }
}

/// A task that may be cancelled before it starts.
private final class CancellableTask: @unchecked Sendable {
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
