import Foundation

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

extension Session {
    /// Sends `request` with an access token in its header `Authorization` (RFC 6750 §2.1), and with a
    /// proof of the session's key where the token is bound to it (RFC 9449); and once more with what
    /// may do better if the server answers 401. A request whose body is a stream is not repeated: it
    /// can be sent only once.
    ///
    /// A proof is for one address: a request with a bound token is not let in where it is redirected
    /// to, and the proof, which is of no use there, goes along.
    ///
    /// Throws `RegrantError` where there is no token to be had, and what `URLSession` throws. Every
    /// answer is returned, whatever its status, also 401.
    public func data(
        for request: URLRequest, over urlSession: URLSession = .shared
    ) async throws -> (Data, HTTPURLResponse) {
        guard let url = request.url else { throw URLError(.badURL) }
        let isRepeatable = request.httpBodyStream == nil
        return try await authorize(
            method: request.httpMethod ?? "GET", url: url, isRepeatable: isRepeatable
        ) { headers in
            var authorized = request
            for header in headers {
                authorized.setValue(header.value, forHTTPHeaderField: header.name)
            }
            return try await urlSession.answer(to: authorized)
        } head: { _, response in
            // What another server says, where a redirect has led, is not about this request.
            let isOwn = response.url?.host == url.host && response.url?.port == url.port
            return isOwn ? HttpResponse(head: response) : HttpResponse(status: 0, headers: [], body: Data())
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
    /// What a session needs to know of an answer: its status and its headers, without the body.
    public init(head: HTTPURLResponse) {
        self.init(head: head, body: Data())
    }

    /// The whole answer.
    public init(head: HTTPURLResponse, body: Data) {
        let headers = head.allHeaderFields.compactMap { name, value in
            (name as? String).map { HttpHeader(name: $0, value: "\(value)") }
        }
        self.init(status: UInt16(clamping: head.statusCode), headers: headers, body: body)
    }
}
