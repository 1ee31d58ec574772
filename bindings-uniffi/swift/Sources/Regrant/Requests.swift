import Foundation

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

extension Session {
    /// Sends `request` with an access token in its `Authorization` header (RFC 6750 §2.1), and with a
    /// DPoP proof if the token is bound to the session's key (RFC 9449). If the server responds with
    /// 401, retries once with a new token or proof, unless the request's body is a stream.
    ///
    /// A proof is valid for one URL: a redirected request with a bound token is rejected at its new
    /// URL, which also receives the proof.
    ///
    /// Throws `RegrantError` without an access token, and whatever `URLSession` throws. Returns every
    /// response, whatever its status, including 401.
    public func data(
        for request: URLRequest, over urlSession: URLSession = .shared
    ) async throws -> (Data, HTTPURLResponse) {
        guard let url = request.url else { throw URLError(.badURL) }
        let canRetry = request.httpBodyStream == nil
        return try await authorize(
            method: request.httpMethod ?? "GET", url: url, canRetry: canRetry
        ) { headers in
            var authorized = request
            for header in headers {
                authorized.setValue(header.value, forHTTPHeaderField: header.name)
            }
            return try await urlSession.response(to: authorized)
        } head: { _, response in
            // After a redirect to another server, its response is not about this token.
            let isSameServer = response.url?.host == url.host && response.url?.port == url.port
            return isSameServer ? HttpResponse(head: response) : HttpResponse(status: 0, headers: [], body: Data())
        }
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
