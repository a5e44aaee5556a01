//! Are the texts of our own commands in pieces that can be sent?

use wxbot_plugin::Effect;

use super::*;

#[test]
fn long_answers_go_out_in_pieces() {
    let texts = |lines: Vec<String>| -> Vec<usize> {
        let effects = replies(lines).into_iter().flatten();
        effects.map(|effect| if let Effect::Reply { text, .. } = effect { text.len() } else { 0 }).collect()
    };
    assert!(texts(Vec::new()).is_empty());
    assert_eq!(texts(vec!["a".into(), "b".into()]), [3]);
    assert_eq!(texts(vec!["字".repeat(1_000), "b".repeat(600), "c".into()]), [3_000, 602]);
    assert_eq!(texts(vec!["字".repeat(9_000)]), [3_498], "cut between characters");
    assert_eq!(texts(vec!["a".repeat(3_000); 20]), [3_000; 5]);
}
