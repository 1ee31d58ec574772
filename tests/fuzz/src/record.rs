//! Encoded session records.

use arbitrary::Unstructured;
use regrant::session::{DeviceLabel, Record};

use crate::source::Source;

/// The first byte is the length of the label that follows; the rest is the record.
pub(crate) fn run(input: &[u8]) {
    let Some((length, rest)) = input.split_first() else { return };
    if let Some((label, bytes)) = rest.split_at_checked(usize::from(*length) % 80) {
        any_bytes(bytes, std::str::from_utf8(label).unwrap_or(""));
    }
    let mut source = Unstructured::new(rest);
    if let Ok(record) = Source::new(&mut source).and_then(|mut source| source.record()) {
        any_record(&record);
    }
}

fn any_bytes(bytes: &[u8], label: &str) {
    let fits = label.len() <= DeviceLabel::MAX_BYTES && !label.chars().any(char::is_control);
    match Record::decode(bytes, label) {
        Ok(record) => {
            assert!(fits, "an invalid label");
            assert!((41..=57).contains(&bytes.len()));
            assert_eq!(record.encode(), bytes, "a record has one encoding");
            // The layout, as in the documentation of `Record`.
            assert_eq!(bytes[0], 1);
            assert_eq!(bytes[3..7], record.generation.to_be_bytes());
            assert_eq!(&bytes[7..23], record.id.as_bytes());
            assert_eq!(bytes[29..35], record.expires_at.as_millis().to_be_bytes()[2..]);
            assert_eq!(bytes[2] & 1 == 1, record.child.is_some());
            assert_eq!(record.device.as_str(), label);
        }
        Err(error) => assert_eq!(error.code(), regrant::ErrorCode::Internal),
    }
}

fn any_record(record: &Record) {
    let bytes = record.encode();
    assert!(bytes.len() <= 57);
    assert_eq!(&Record::decode(&bytes, record.device.as_str()).expect("a whole record"), record);
}
