//! A stand-in for KMS. It encrypts nothing: the tables only have test data.

use std::io::Result;

use serde_json::{Value, json};
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::http::{answer, read};

/// Starts the stand-in in this process and returns its address. It ends with the runtime.
///
/// # Errors
/// There is no free port.
pub async fn start() -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // A client that disconnects isn't an error.
            tokio::spawn(async move { serve(stream).await });
        }
    });
    Ok(address)
}

async fn serve(stream: TcpStream) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    while let Some(request) = read(&mut stream).await? {
        let body: Value = serde_json::from_slice(&request.body)?;
        let found = match request.header("x-amz-target") {
            Some("TrentService.Encrypt") => Some(json!({"CiphertextBlob": body.get("Plaintext")})),
            Some("TrentService.Decrypt") => Some(json!({"Plaintext": body.get("CiphertextBlob")})),
            _ => None,
        };
        let text = match found {
            Some(found) => answer("200 OK", &found.to_string()),
            None => answer(
                "400 Bad Request",
                r#"{"__type": "UnknownOperationException"}"#,
            ),
        };
        stream.write_all(text.as_bytes()).await?;
    }
    Ok(())
}
