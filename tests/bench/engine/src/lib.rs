//! A DynamoDB engine in memory, over HTTP and, as on AWS, over TLS.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;

use dynoxide::Database;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// A running engine. It stops with the process.
pub struct Engine {
    /// The address for HTTP.
    pub http: SocketAddr,
    /// The address for HTTPS, under the name `localhost`.
    pub https: SocketAddr,
    /// The certificate of its certificate authority, as PEM.
    pub authority: String,
}

impl Engine {
    /// Starts an engine without tables on two free ports of 127.0.0.1.
    ///
    /// # Errors
    /// There is no free port, or no certificate can be made.
    pub async fn start() -> Result<Self, Box<dyn Error>> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let http = listener.local_addr()?;
        let database = Database::memory()?;
        tokio::spawn(dynoxide::server::serve_on(listener, database));
        let (authority, config) = certify()?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let https = listener.local_addr()?;
        tokio::spawn(terminate(
            listener,
            TlsAcceptor::from(Arc::new(config)),
            http,
        ));
        Ok(Self {
            http,
            https,
            authority,
        })
    }
}

/// A new certificate authority and a certificate from it, of the kind that most of AWS's endpoints have (ECDSA P-256).
fn certify() -> Result<(String, ServerConfig), Box<dyn Error>> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new([])?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
        .distinguished_name
        .push(DnType::CommonName, "Latchkey benchmarks");
    let authority = params.self_signed(&key)?;
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate()?;
    let certificate = CertificateParams::new(["localhost".to_owned()])?.signed_by(&key, &issuer)?;
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)?;
    Ok((authority.pem(), config))
}

/// Terminates TLS and forwards every connection.
async fn terminate(listener: TcpListener, acceptor: TlsAcceptor, to: SocketAddr) {
    while let Ok((stream, _)) = listener.accept().await {
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            // A client that disconnects isn't an error.
            let _ = stream.set_nodelay(true);
            let Ok(mut client) = acceptor.accept(stream).await else {
                return;
            };
            let Ok(mut server) = TcpStream::connect(to).await else {
                return;
            };
            let _ = server.set_nodelay(true);
            let _ = copy_bidirectional(&mut client, &mut server).await;
        });
    }
}
