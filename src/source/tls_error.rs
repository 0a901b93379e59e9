//! Errors of the TLS library: where they hide, and which of them last.

use std::io;

/// Whether a TLS error is one of what the two sides are, and not of how this one connection went.
pub(super) fn is_lasting(error: &rustls::Error) -> bool {
    use rustls::{AlertDescription, Error};
    match error {
        Error::InvalidCertificate(_) | Error::PeerIncompatible(_) => true,
        // It does not speak TLS at all.
        Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType) => true,
        Error::AlertReceived(alert) => matches!(
            alert,
            AlertDescription::ProtocolVersion
                | AlertDescription::HandshakeFailure
                | AlertDescription::UnrecognisedName
                | AlertDescription::CertificateRequired
                | AlertDescription::AccessDenied
        ),
        _ => false,
    }
}

/// The TLS library's error among the causes. It hides inside an [`io::Error`], whose `source` passes
/// over it.
pub(super) fn tls_error<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> Option<&'a rustls::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        let hidden = inner.and_then(|inner| inner.downcast_ref::<rustls::Error>());
        if let Some(found) = hidden.or_else(|| error.downcast_ref()) {
            return Some(found);
        }
        next = match inner {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}
