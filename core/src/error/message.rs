//! The messages for people, in English and Korean. An app with other languages maps the code itself.

use serde::{Deserialize, Serialize};

use super::{Error, ErrorCode};

/// A language of the messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Language {
    /// English.
    #[default]
    En,
    /// Korean.
    Ko,
}

impl ErrorCode {
    /// The message in `language`. The English one contains only characters that are allowed in a
    /// quoted string of an HTTP header.
    pub const fn message(self, language: Language) -> &'static str {
        match language {
            Language::En => self.english(),
            Language::Ko => self.korean(),
        }
    }

    const fn english(self) -> &'static str {
        match self {
            Self::TokenExpired => "The access token has expired",
            Self::TokenMissing => "No token was presented",
            Self::RefreshExpired => "The refresh token has expired",
            Self::SessionUnknown => "The session does not exist",
            Self::SessionRevoked => "The session was revoked",
            Self::RefreshReused => "The refresh token was used before; the session was revoked",
            Self::TokenMalformed => "The token is malformed",
            Self::TokenTooLarge => "The token is too large",
            Self::AlgNotAllowed => "The algorithm of the token is not allowed",
            Self::KeyNotFound => "The key of the token is not known",
            Self::SignatureInvalid => "The signature of the token is invalid",
            Self::TypMismatch => "The token is of another type",
            Self::CritUnsupported => "The token requires an unsupported extension",
            Self::TokenNotYetValid => "The token is not valid yet",
            Self::IssuerMismatch => "The issuer of the token is not accepted",
            Self::AudienceMismatch => "The token is for another audience",
            Self::ClaimMissing => "The token lacks a required claim",
            Self::ClaimInvalid => "A claim of the token is invalid",
            Self::SubjectMismatch => "The token belongs to another subject",
            Self::AccessRevoked => "The access token was revoked",
            Self::DpopProofMissing => {
                "The token is bound to a key, and the request has no DPoP proof"
            }
            Self::DpopProofInvalid => "The proof of the key is not valid for this request",
            Self::DpopProofReplayed => "The proof of the key was used before",
            Self::DpopNonceRequired => {
                "The DPoP proof must contain the nonce of this response; try again"
            }
            Self::StoreUnavailable => "The session store is unavailable; try again",
            Self::KeysUnavailable => "The verification keys are unavailable; try again",
            Self::Transport => "The server could not be reached; try again",
            Self::RefreshSuperseded => {
                "A newer refresh token is in use; try again with the newest one"
            }
            Self::TooManyAttempts => "Too many attempts have failed; try again later",
            Self::InsufficientScope => "The token lacks a required scope or claim",
            Self::LoginTooOld => "This needs a new login",
            Self::OriginNotAllowed => "Cookies are not accepted from pages of this origin",
            Self::NotFound => "Not found",
            Self::ArgumentInvalid => "An argument is invalid",
            Self::ConfigInvalid => "The configuration is invalid",
            Self::Internal => "Internal error",
        }
    }

    const fn korean(self) -> &'static str {
        match self {
            Self::TokenExpired => "액세스 토큰이 만료되었습니다.",
            Self::TokenMissing => "토큰이 존재하지 않습니다.",
            Self::RefreshExpired => "리프레시 토큰이 만료되었습니다.",
            Self::SessionUnknown => "세션 정보가 서버에 존재하지 않습니다.",
            Self::SessionRevoked => "로그아웃된 세션입니다.",
            Self::RefreshReused => "이미 사용된 리프레시 토큰입니다. 세션이 종료되었습니다.",
            Self::TokenMalformed => "토큰의 형식이 일치하지 않습니다.",
            Self::TokenTooLarge => "토큰이 너무 큽니다.",
            Self::AlgNotAllowed => "허용되지 않은 서명 알고리즘입니다.",
            Self::KeyNotFound => "토큰의 키를 찾을 수 없습니다.",
            Self::SignatureInvalid => "토큰의 서명이 유효하지 않습니다.",
            Self::TypMismatch => "토큰의 종류가 일치하지 않습니다.",
            Self::CritUnsupported => "지원하지 않는 확장을 요구하는 토큰입니다.",
            Self::TokenNotYetValid => "아직 유효하지 않은 토큰입니다.",
            Self::IssuerMismatch => "토큰의 발급자가 일치하지 않습니다.",
            Self::AudienceMismatch => "토큰의 대상이 일치하지 않습니다.",
            Self::ClaimMissing => "토큰에 필요한 클레임이 없습니다.",
            Self::ClaimInvalid => "토큰의 클레임이 유효하지 않습니다.",
            Self::SubjectMismatch => "토큰의 사용자가 일치하지 않습니다.",
            Self::AccessRevoked => "취소된 액세스 토큰입니다.",
            Self::DpopProofMissing => "키에 묶인 토큰인데 키 증명이 없습니다.",
            Self::DpopProofInvalid => "이 요청에 유효하지 않은 키 증명입니다.",
            Self::DpopProofReplayed => "이미 사용된 키 증명입니다.",
            Self::DpopNonceRequired => {
                "키 증명에 서버의 논스가 필요합니다. 받은 논스로 다시 시도해 주세요."
            }
            Self::StoreUnavailable => {
                "세션 저장소에 연결할 수 없습니다. 잠시 후 다시 시도해 주세요."
            }
            Self::KeysUnavailable => "검증 키를 가져올 수 없습니다. 잠시 후 다시 시도해 주세요.",
            Self::Transport => "서버에 연결할 수 없습니다. 잠시 후 다시 시도해 주세요.",
            Self::RefreshSuperseded => {
                "더 새로운 리프레시 토큰이 사용되었습니다. 최신 토큰으로 다시 시도해 주세요."
            }
            Self::TooManyAttempts => "실패한 시도가 너무 많습니다. 잠시 후 다시 시도해 주세요.",
            Self::InsufficientScope => "권한이 부족합니다.",
            Self::LoginTooOld => "다시 로그인해야 합니다.",
            Self::OriginNotAllowed => "허용되지 않은 출처의 페이지가 보낸 요청입니다.",
            Self::NotFound => "요청한 대상을 찾을 수 없습니다.",
            Self::ArgumentInvalid => "인자가 올바르지 않습니다.",
            Self::ConfigInvalid => "설정이 올바르지 않습니다.",
            Self::Internal => "내부 오류가 발생했습니다.",
        }
    }
}

impl Error {
    /// The message of this error in `language`, without its context.
    pub const fn message(&self, language: Language) -> &'static str {
        self.code().message(language)
    }
}
