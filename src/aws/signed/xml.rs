//! The little XML that query services answer with: elements and text, no attributes.

use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::Event;

/// How deep elements may be nested; AWS's answers need nine.
const XML_DEPTH_MAX: usize = 32;

/// An element with what stands in it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Element {
    /// The name without a prefix.
    name: String,
    text: String,
    children: Vec<Element>,
}

impl Element {
    /// Reads a document. None where it is not well formed, nests too deep, or refers to entities that are not XML's own.
    pub(super) fn parse(document: &str) -> Option<Self> {
        let mut reader = Reader::from_str(document);
        let mut open = vec![Self::default()];
        loop {
            match reader.read_event().ok()? {
                Event::Start(start) => {
                    if open.len() >= XML_DEPTH_MAX {
                        return None;
                    }
                    open.push(Self::named(start.local_name().as_ref())?);
                }
                Event::Empty(start) => open.last_mut()?.children.push(Self::named(start.local_name().as_ref())?),
                Event::End(_) => {
                    let element = open.pop()?;
                    open.last_mut()?.children.push(element);
                }
                Event::Text(text) => open.last_mut()?.text.push_str(&text.decode().ok()?),
                Event::CData(data) => open.last_mut()?.text.push_str(&data.decode().ok()?),
                Event::GeneralRef(reference) => {
                    let text = &mut open.last_mut()?.text;
                    match reference.resolve_char_ref().ok()? {
                        Some(character) => text.push(character),
                        None => text.push_str(resolve_predefined_entity(&reference.decode().ok()?)?),
                    }
                }
                Event::Decl(_) | Event::Comment(_) | Event::PI(_) => {}
                Event::DocType(_) => return None,
                Event::Eof => break,
            }
        }
        let mut document = open.pop()?;
        // One root, and nothing left open.
        (open.is_empty() && document.children.len() == 1).then(|| document.children.pop())?
    }

    fn named(name: &[u8]) -> Option<Self> {
        Some(Self { name: std::str::from_utf8(name).ok()?.to_owned(), ..Self::default() })
    }

    /// The first element at the end of `path`, a name a level: `["GetRoleResult", "Role"]`.
    pub(crate) fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |element, name| element.children.iter().find(|child| child.name == *name))
    }

    /// The text at the end of `path`.
    pub(crate) fn text_at(&self, path: &[&str]) -> Option<&str> {
        self.at(path).map(|element| element.text.as_str())
    }

    /// The members of the list at the end of `path`; an absent list is an empty one.
    pub(crate) fn members(&self, path: &[&str]) -> impl Iterator<Item = &Self> {
        self.at(path).into_iter().flat_map(|list| &list.children).filter(|child| child.name == "member")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_found_by_their_names_and_references_are_resolved() {
        let document = "<?xml version=\"1.0\"?>\n<R xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><List>\
            <member><Name>a &lt;&amp;&#x3e; b</Name></member><other/><member><Name><![CDATA[<c>]]></Name></member></List>\
            <Empty/></R>";
        let root = Element::parse(document).unwrap();
        let names: Vec<_> = root.members(&["List"]).filter_map(|member| member.text_at(&["Name"])).collect();
        assert_eq!(names, ["a <&> b", "<c>"]);
        assert_eq!((root.text_at(&["Empty"]), root.text_at(&["None"])), (Some(""), None));
        assert_eq!(root.members(&["None"]).count(), 0);
    }

    #[test]
    fn what_is_no_document_is_none() {
        let deep = format!("{}{}", "<a>".repeat(40), "</a>".repeat(40));
        let bomb = "<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>";
        for text in ["", "text", "<a>", "<a></b>", "<a/><b/>", "{\"a\": 1}", "<a>&unknown;</a>", bomb, &deep] {
            assert_eq!(Element::parse(text), None, "{text}");
        }
    }
}
