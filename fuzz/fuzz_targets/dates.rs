#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| kometsales_fuzz::run("dates", bytes));
