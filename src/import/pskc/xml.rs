//! Elements of a container, by name.

use roxmltree::Node;
use zeroize::Zeroizing;

/// The namespace of RFC 6030 §4.
pub const PSKC: &str = "urn:ietf:params:xml:ns:keyprov:pskc";

/// The child of PSKC's namespace. Extensions of other namespaces may have names like ours (RFC 6030 §4.2).
pub fn child<'a, 'input>(parent: Node<'a, 'input>, name: &'static str) -> Option<Node<'a, 'input>> {
    children(parent, name).next()
}

/// All such children.
pub fn children<'a, 'input>(
    parent: Node<'a, 'input>,
    name: &'static str,
) -> impl Iterator<Item = Node<'a, 'input>> {
    parent.children().filter(move |child| child.has_tag_name((PSKC, name)))
}

/// The descendant at the end of `path`, whatever the namespaces: writers disagree about those of XML encryption.
pub fn foreign<'a, 'input>(parent: Node<'a, 'input>, path: &[&str]) -> Option<Node<'a, 'input>> {
    path.iter().try_fold(parent, |node, name| node.children().find(|child| child.tag_name().name() == *name))
}

/// The text without the blanks around and inside: numbers and base64.
pub fn compact(node: Node<'_, '_>) -> Zeroizing<String> {
    let text = node.children().filter(Node::is_text).filter_map(|part| part.text());
    let length = text.clone().map(str::len).fold(0, usize::saturating_add);
    let mut compact = Zeroizing::new(String::with_capacity(length));
    text.for_each(|part| compact.extend(part.chars().filter(|letter| !letter.is_ascii_whitespace())));
    compact
}

/// The text without the blanks around it: names.
pub fn words(node: Node<'_, '_>) -> Option<String> {
    let text: String = node.children().filter_map(|part| part.text()).collect();
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// What stands behind the last `#` or `:` of an identifier, in lower case.
pub fn last_word(identifier: &str) -> String {
    identifier.trim().rsplit(['#', ':']).next().unwrap_or_default().to_ascii_lowercase()
}
