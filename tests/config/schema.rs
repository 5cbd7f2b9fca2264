use tekcron::cli::schema::{self, SchemaArgs, SchemaFile};

#[test]
fn show() {
    for file in [SchemaFile::App, SchemaFile::Settings] {
        let mut out = Vec::new();
        schema::run(&SchemaArgs { file }, &mut out).unwrap();
        println!("{}", String::from_utf8(out).unwrap());
    }
}
