use super::*;

#[test]
fn a_bare_span_is_a_constant() {
    assert_eq!(Dist::options().from_str::<Dist>("\"5ms\""), Ok(Dist::constant(Span(5_000_000))));
}
