//! Small models of ONNX, as the bytes of their files: what Python's `onnx.helper` does, for tests that
//! run without it.

/// Fields of a message, one after the other.
#[derive(Clone, Default)]
pub struct Fields(pub Vec<u8>);

impl Fields {
    fn varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    pub fn int(mut self, field: u64, value: i64) -> Fields {
        self.varint(field << 3);
        self.varint(value as u64);
        self
    }

    pub fn float(mut self, field: u64, value: f32) -> Fields {
        self.varint(field << 3 | 5);
        self.0.extend(value.to_le_bytes());
        self
    }

    pub fn bytes(mut self, field: u64, value: &[u8]) -> Fields {
        self.varint(field << 3 | 2);
        self.varint(value.len() as u64);
        self.0.extend(value);
        self
    }

    pub fn text(self, field: u64, value: &str) -> Fields {
        self.bytes(field, value.as_bytes())
    }

    pub fn message(self, field: u64, value: Fields) -> Fields {
        self.bytes(field, &value.0)
    }
}

/// An attribute's value.
#[derive(Clone)]
pub enum Attribute {
    Int(i64),
    Ints(Vec<i64>),
    Float(f32),
    Text(String),
    Texts(Vec<String>),
    Graph(Fields),
}

/// A model that is being made.
#[derive(Clone)]
pub struct Builder {
    pub graph: Fields,
    pub opset: i64,
    pub seed: u64,
}

impl Builder {
    pub fn new(opset: i64) -> Builder {
        Builder { graph: Fields::default().text(2, "graph"), opset, seed: 1 }
    }

    /// An input or output; extents of 0 are the symbol `batch`.
    fn value(kind: i64, name: &str, dims: &[i64]) -> Fields {
        let shape = dims.iter().fold(Fields::default(), |shape, &dim| {
            shape.message(
                1,
                match dim {
                    0 => Fields::default().text(2, "batch"),
                    dim => Fields::default().int(1, dim),
                },
            )
        });
        let tensor = Fields::default().int(1, kind).message(2, shape);
        Fields::default().text(1, name).message(2, Fields::default().message(1, tensor))
    }

    pub fn input(mut self, name: &str, dims: &[i64]) -> Builder {
        self.graph = self.graph.message(11, Builder::value(1, name, dims));
        self
    }

    /// An input of whole numbers of 64 bits.
    pub fn whole_input(mut self, name: &str, dims: &[i64]) -> Builder {
        self.graph = self.graph.message(11, Builder::value(7, name, dims));
        self
    }

    pub fn text_input(mut self, name: &str, dims: &[i64]) -> Builder {
        self.graph = self.graph.message(11, Builder::value(8, name, dims));
        self
    }

    pub fn output(mut self, name: &str) -> Builder {
        self.graph = self.graph.message(12, Builder::value(1, name, &[]));
        self
    }

    /// A weight with small numbers that do not repeat.
    pub fn weight(self, name: &str, dims: &[i64]) -> Builder {
        let count: i64 = dims.iter().product();
        let mut seed = self.seed;
        let values: Vec<f32> = (0..count)
            .map(|_| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695);
                ((seed >> 40) as f32 / (1u64 << 24) as f32 - 0.5) * 0.6
            })
            .collect();
        Builder { seed, ..self.floats(name, dims, &values) }
    }

    pub fn floats(mut self, name: &str, dims: &[i64], values: &[f32]) -> Builder {
        let raw: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.graph = self.graph.message(5, Builder::tensor(1, name, dims).bytes(9, &raw));
        self
    }

    pub fn ints(mut self, name: &str, dims: &[i64], values: &[i64]) -> Builder {
        let tensor =
            values.iter().fold(Builder::tensor(7, name, dims), |it, &value| it.int(7, value));
        self.graph = self.graph.message(5, tensor);
        self
    }

    /// A weight whose elements lie in another file.
    pub fn external(mut self, name: &str, dims: &[i64], location: &str, offset: u64) -> Builder {
        let entry = |key: &str, value: &str| Fields::default().text(1, key).text(2, value);
        let tensor = Builder::tensor(1, name, dims)
            .message(13, entry("location", location))
            .message(13, entry("offset", &offset.to_string()))
            .int(14, 1);
        self.graph = self.graph.message(5, tensor);
        self
    }

    fn tensor(kind: i64, name: &str, dims: &[i64]) -> Fields {
        let fields = dims.iter().fold(Fields::default(), |fields, &dim| fields.int(1, dim));
        fields.int(2, kind).text(8, name)
    }

    pub fn node(
        mut self,
        op: &str,
        inputs: &[&str],
        output: &str,
        attributes: &[(&str, Attribute)],
    ) -> Builder {
        let node = inputs.iter().fold(Fields::default(), |node, input| node.text(1, input));
        let node = node.text(2, output).text(3, &format!("the_{output}")).text(4, op);
        let node = attributes.iter().fold(node, |node, (name, value)| {
            let fields = Fields::default().text(1, name);
            node.message(
                5,
                match value {
                    Attribute::Int(value) => fields.int(3, *value).int(20, 2),
                    Attribute::Ints(values) => {
                        values.iter().fold(fields, |fields, &value| fields.int(8, value)).int(20, 7)
                    }
                    Attribute::Float(value) => fields.float(2, *value).int(20, 1),
                    Attribute::Text(value) => fields.text(4, value).int(20, 3),
                    Attribute::Texts(values) => {
                        values.iter().fold(fields, |fields, value| fields.text(9, value)).int(20, 8)
                    }
                    Attribute::Graph(graph) => fields.message(6, graph.clone()).int(20, 5),
                },
            )
        });
        self.graph = self.graph.message(1, node);
        self
    }

    /// The file.
    pub fn bytes(&self) -> Vec<u8> {
        let opset = Fields::default().text(1, "").int(2, self.opset);
        Fields::default()
            .int(1, 8)
            .text(2, "tests")
            .message(7, self.graph.clone())
            .message(8, opset)
            .0
    }
}
