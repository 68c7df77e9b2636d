//! What a header declares, for tests that compare something with it.

/// A function of the interface.
#[derive(Debug)]
pub struct Function {
    pub name: String,
    pub returns: String,
    pub parameters: Vec<Parameter>,
    /// The comment before it, as one line.
    pub says: String,
}

/// `const void *pixels`: type `const void *`, name `pixels`.
#[derive(Debug)]
pub struct Parameter {
    pub kind: String,
    pub name: String,
}

/// Every function of a header, in its order.
pub fn functions(header: &str) -> Vec<Function> {
    let text = header.replace("RHEED_CALL ", "");
    let mut functions = Vec::new();
    let mut rest = text.as_str();
    while let Some((comment, after)) = rest.split_once("*/") {
        rest = after;
        let declaration = after.trim_start();
        let is_function =
            ["int32_t rheed_", "int rheed_", "const char *rheed_"].iter().any(|begin| declaration.starts_with(begin));
        if let Some((declaration, _)) = declaration.split_once(");").filter(|_| is_function) {
            let (says, _) = comment.rsplit_once("/*").map(|(_, says)| (says, ())).expect("a comment begins");
            functions.push(function(declaration, says));
        }
    }
    functions
}

fn function(declaration: &str, comment: &str) -> Function {
    let (head, list) = declaration.split_once('(').expect("a function has parameters");
    let Parameter { kind: returns, name } = parameter(head);
    let parameters = list.split(',').map(parameter).filter(|it| it.name != "void").collect();
    let says = comment.lines().map(|line| line.trim_matches(['*', ' '])).collect::<Vec<_>>().join(" ");
    Function { name, returns, parameters, says }
}

fn parameter(text: &str) -> Parameter {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let at = text.rfind([' ', '*']).map_or(0, |at| at + 1);
    Parameter { kind: text[..at].trim_end().into(), name: text[at..].into() }
}
