import Foundation

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

extension Session {
    /// Sends `request` with an access token in its header `Authorization` (RFC 6750 §2.1), and once
    /// more with another one if the server answers 401. A request whose body is a stream is not
    /// repeated: it can be sent only once.
    ///
    /// Throws `RegrantError` where there is no token to be had, and what `URLSession` throws. Every
    /// answer is returned, whatever its status, also 401.
    public func data(
        for request: URLRequest, over urlSession: URLSession = .shared
    ) async throws -> (Data, HTTPURLResponse) {
        try await authorize { token in
            var authorized = request
            authorized.setValue("Bearer \(token)", forHTTPHeaderField: "Authorization")
            return try await urlSession.answer(to: authorized)
        } isUnauthorized: { _, response in
            response.statusCode == 401 && request.httpBodyStream == nil
        }
    }

    /// `GET` of `url`: see `data(for:over:)`.
    public func data(
        from url: URL, over urlSession: URLSession = .shared
    ) async throws -> (Data, HTTPURLResponse) {
        try await data(for: URLRequest(url: url), over: urlSession)
    }
}
