import Foundation

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

extension Session {
    /// Sends `request` with an access token in its `Authorization` header (RFC 6750 §2.1), and with a
    /// DPoP proof if the token is bound to the session's key (RFC 9449). Retries it once if the server
    /// rejects the token or the proof, unless the request's body is a stream.
    ///
    /// A redirect to another server does not carry the token and the proof along (iOS 15, macOS 12 and
    /// newer; on older systems `URLSession` itself removes `Authorization` only). A proof is valid for
    /// one URL: a redirected request with a bound token is rejected at its new URL. On Linux, whose
    /// Foundation would redirect an upload without its body, the redirect (307, 308) is returned.
    ///
    /// Throws `RegrantError` without an access token, and whatever `URLSession` throws. Returns every
    /// response, whatever its status, including 401.
    public func data(
        for request: URLRequest, over urlSession: URLSession = .shared
    ) async throws -> (Data, HTTPURLResponse) {
        guard let url = request.url else { throw URLError(.badURL) }
        let method = request.httpMethod ?? "GET"
        return try await authorize(
            method: method, url: url, isRepeatable: request.httpBodyStream == nil,
            { headers in
                var authorized = request
                for header in headers {
                    authorized.setValue(header.value, forHTTPHeaderField: header.name)
                }
                let redirects = OwnServerOnly(url: url, headers: headers.map(\.name))
                return try await urlSession.response(to: authorized, delegate: redirects)
            }, head: { HttpResponse(head: $0.1) }, from: { $0.1.url })
    }

    /// `GET` of `url`: see `data(for:over:)`.
    public func data(
        from url: URL, over urlSession: URLSession = .shared
    ) async throws -> (Data, HTTPURLResponse) {
        try await data(for: URLRequest(url: url), over: urlSession)
    }
}

extension HttpResponse {
    /// The part of a response that a session needs: status and headers, without the body.
    public init(head: HTTPURLResponse) {
        self.init(head: head, body: Data())
    }

    /// The complete response.
    public init(head: HTTPURLResponse, body: Data) {
        let headers = head.allHeaderFields.compactMap { name, value in
            (name as? String).map { HttpHeader(name: $0, value: "\(value)") }
        }
        self.init(status: UInt16(clamping: head.statusCode), headers: headers, body: body)
    }
}

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

/// Removes the headers of a session when a request is redirected to another server.
private final class OwnServerOnly: NSObject, URLSessionTaskDelegate {
    private let url: URL
    private let headers: [String]

    init(url: URL, headers: [String]) {
        self.url = url
        self.headers = headers
    }

    func urlSession(
        _ session: URLSession, task: URLSessionTask,
        willPerformHTTPRedirection response: HTTPURLResponse, newRequest request: URLRequest,
        completionHandler: @escaping (URLRequest?) -> Void
    ) {
        var request = request
        let isOwn =
            request.url?.scheme == url.scheme && request.url?.host == url.host
            && request.url?.port == url.port
        if !isOwn {
            for name in headers { request.setValue(nil, forHTTPHeaderField: name) }
        }
        #if canImport(FoundationNetworking)
            // The body would be empty, and the server might accept it.
            if request.httpBody != nil || request.httpBodyStream != nil { return completionHandler(nil) }
        #endif
        // The app's own delegate decides whether to follow.
        #if canImport(FoundationNetworking)
            if let own = session.delegate as? URLSessionTaskDelegate {
                return own.urlSession(
                    session, task: task, willPerformHTTPRedirection: response, newRequest: request,
                    completionHandler: completionHandler)
            }
        #else
            let own = session.delegate as? URLSessionTaskDelegate
            let redirect = own?.urlSession(_:task:willPerformHTTPRedirection:newRequest:completionHandler:)
            if let redirect { return redirect(session, task, response, request, completionHandler) }
        #endif
        completionHandler(request)
    }
}

extension URLSession {
    /// Sends `request`. Cancelled with the current task, also on platforms without `data(for:)`.
    func response(
        to request: URLRequest, delegate: URLSessionTaskDelegate? = nil
    ) async throws -> (Data, HTTPURLResponse) {
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
                if #available(iOS 15, macOS 12, tvOS 15, watchOS 8, *), let delegate {
                    task.delegate = delegate
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
