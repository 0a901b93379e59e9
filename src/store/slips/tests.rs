use super::*;
use crate::error::Kind;

fn refused(text: &str) -> String {
    let error = refuse(text).expect_err(text);
    assert_eq!(error.kind(), Kind::Config, "{text}");
    error.to_string()
}

#[test]
fn a_slip_is_refused_with_what_was_probably_meant() {
    for (text, meant) in [
        ("s3:/bucket/x", "s3://bucket/x"),
        ("s3:bucket", "s3://bucket"),
        ("S3:bucket/x", "s3://bucket/x"),
        ("s3a:/bucket/x", "s3a://bucket/x"),
        ("gs:/bucket/x", "gs://bucket/x"),
        ("az:c/x", "az://c/x"),
        ("abfss:/c/x", "abfss://c/x"),
        ("abfss:/c@a.dfs.core.windows.net/x", "Did you mean abfss://c@a.dfs.core.windows.net/x?"),
        ("file:/x", "file:///x"),
        ("file:x/y", "file:///x/y"),
        ("gcs:/b/x", "gs://b/x"),
        ("s3//bucket/x", "s3://bucket/x"),
        ("s3;//bucket/x", "s3://bucket/x"),
        ("GS//b", "gs://b"),
        ("gcs://b/x", "Did you mean gs://b/x?"),
        ("s33://b/x", "Did you mean s3://b/x?"),
        ("wasbs://c@a.blob.core.windows.net/x", "abfss://c@a.blob.core.windows.net/x"),
        ("~", "\"$HOME\"?"),
        ("~/lake", "\"$HOME\"/lake"),
        ("~user/lake", "whole path"),
        ("file://~/lake", "\"$HOME\"/lake"),
        ("$HOME/lake", "double quotes"),
        ("${LAKE}/x", "double quotes"),
        ("file://$HOME/x", "double quotes"),
        ("s3://$BUCKET/x", "double quotes"),
        ("s3://${BUCKET}/x", "double quotes"),
        ("gs://lake-$STAGE/x", "double quotes"),
        ("az://<container>/x", "write the value"),
        ("%HOME%/lake", "variable"),
        ("C:\\data", "Windows"),
        ("c:\\data\\lake", "Windows"),
        ("C:/data", "Windows"),
        ("C:", "Windows"),
        ("c:data", "Windows"),
        ("lake\\customers", "lake/customers"),
        ("./lake\\customers", "./lake/customers"),
        ("dbfs:/mnt/x", "./dbfs:/mnt/x"),
        ("hdfs:x", "Use s3://, gs://"),
        ("http://host/x", "Use s3://, gs://"),
        ("dbfs:///mnt/x", "Use s3://, gs://"),
        ("'lake'", "Did you mean lake?"),
        ("\"s3://b/x\"", "Did you mean s3://b/x?"),
        ("lake ", "Did you mean lake?"),
        (" s3://b/x", "Did you mean s3://b/x?"),
        ("lake\n", "Did you mean lake?"),
        ("“lake”", "Did you mean lake?"),
        ("«s3://b/x»", "Did you mean s3://b/x?"),
        ("\u{feff}lake", "Did you mean lake?"),
        ("s3://b/x\u{200b}", "Did you mean s3://b/x?"),
        ("s3:\\b\\x", "Did you mean s3://b/x?"),
        ("%USERPROFILE%\\lake", "variable"),
        ("b.s3.amazonaws.com/x", "s3://bucket/path"),
        ("S3.eu-west-1.Amazonaws.com/b/x", "s3://bucket/path"),
        ("storage.googleapis.com/b/x", "gs://bucket/path"),
        ("a.blob.core.windows.net/c/x", "az://container/path"),
        ("", "empty"),
        ("  ", "empty"),
    ] {
        let message = refused(text);
        assert!(message.contains(meant), "{text}: {message}");
    }
}

#[test]
fn a_lost_slash_or_colon_is_found_for_every_kind_of_store() {
    for scheme in REMOTE {
        let meant = format!("Did you mean {scheme}://bucket/x?");
        let upper = scheme.to_uppercase();
        for text in [
            format!("{scheme}:/bucket/x"),
            format!("{scheme}:bucket/x"),
            format!("{upper}:/bucket/x"),
            format!("{scheme}//bucket/x"),
            format!("{scheme};//bucket/x"),
            format!(" {scheme}://bucket/x"),
            format!("'{scheme}://bucket/x'"),
        ] {
            assert!(refused(&text).ends_with(&meant), "{text}: {}", refused(&text));
        }
        assert!(refuse(&format!("{scheme}://bucket/x")).is_ok());
    }
}

#[test]
fn names_that_only_look_strange_are_places() {
    for text in [
        "lake",
        "./s3:x",
        "./b.s3.amazonaws.com/x",
        "amazonaws.com/x",
        "a“b”/x",
        "./$x",
        "./~x",
        "lake~",
        "lake/s3:x",
        "s3/bucket/x",
        "lake//x",
        "/data/$x",
        "100%/x",
        "é",
        "s3://bucket/a$b",
        "gs://bucket/~x",
        "abfss://c@a.dfs.core.windows.net/x",
        "FILE:///x",
        "file:///home/me@corp/x",
        "-x",
    ] {
        assert!(refuse(text).is_ok(), "{text}: {}", refused(text));
    }
}

#[test]
fn nothing_that_may_be_a_secret_is_shown() {
    for text in [
        "s3:/key:hidden@bucket/x",
        "s3:key:hidden@bucket",
        "S3:/b/x?sig=hidden",
        "s3//key:hidden@bucket/x",
        "gcs://key:hidden@b/x",
        "wasbs://c:hidden@a/x",
        "abfss:/c:hidden@a/x",
        "file:/x?hidden",
        "https:/me:hidden@host/x",
        "http://me:hidden@host/x",
        "me:hidden@host://x",
        "x:hidden@host",
        "$USER:hidden@host",
        "s3://${KEY}:hidden@b/x",
        "' s3://k:hidden@b/x'",
        "a1:hidden@b/x",
        "s3\\b\\x?sig=hidden",
        "me:x\\hidden@host",
        "s3://~me:hidden@b/x",
        "file://~/x?sig=hidden",
        "s\u{1b}3:key:hidden@b/x",
    ] {
        let error = refuse(text).expect_err(text);
        assert!(!error.to_string().contains("hidden"), "{text}: {error}");
    }
}
