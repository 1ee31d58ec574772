// What is printed by accident holds neither secrets nor the app's claims. The texts are the core's
// (`debugDescription`); what is here keeps `dump` and other users of `Mirror` from looking past
// them. Whoever asks for a property still gets it.

extension AccessClaims: CustomStringConvertible, CustomReflectable {
    /// The subject, the session and the expiry, without the app's claims.
    public var description: String { debugDescription }

    /// Shows no property.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

extension DecodedToken: CustomStringConvertible, CustomReflectable {
    /// The names of the header's members and of the claims, without their values.
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
    /// The address and the shape, without the headers.
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
    /// The method and the address.
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
