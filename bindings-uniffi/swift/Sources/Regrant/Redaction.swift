// Printed values contain neither secrets nor the app's claims. The texts come from the core
// (`debugDescription`); the mirrors prevent `dump` and other reflection from showing properties.

extension AccessClaims: CustomStringConvertible, CustomReflectable {
    /// The subject, the session and the expiry, without the app's claims.
    public var description: String { debugDescription }

    /// Shows no property.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

extension DecodedToken: CustomStringConvertible, CustomReflectable {
    /// The names of the header parameters and of the claims, without their values.
    public var description: String { debugDescription }

    /// Shows no property.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

extension KeyMaterial: CustomStringConvertible, CustomReflectable {
    /// The kind of the key, without its bytes.
    public var description: String { debugDescription }

    /// Shows no property.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

extension TokenPair: CustomStringConvertible, CustomReflectable {
    /// The name of the type.
    public var description: String { debugDescription }

    /// Shows no property.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

extension RefreshEndpoint: CustomStringConvertible, CustomReflectable {
    /// The URL and the shape, without the headers.
    public var description: String { debugDescription }

    /// Shows no property.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

extension SessionConfig: CustomStringConvertible, CustomReflectable {
    /// The settings, and the endpoint without its headers.
    public var description: String { debugDescription }

    /// Shows no property.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

extension HttpRequest: CustomStringConvertible, CustomReflectable {
    /// The method and the URL.
    public var description: String { debugDescription }

    /// Shows no property.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

extension HttpResponse: CustomStringConvertible, CustomReflectable {
    /// The status.
    public var description: String { debugDescription }

    /// Shows no property.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

extension HttpHeader: CustomStringConvertible, CustomReflectable {
    /// The name, without the value.
    public var description: String { debugDescription }

    /// Shows no property.
    public var customMirror: Mirror { Mirror(self, children: []) }
}
