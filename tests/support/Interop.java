// SPDX-License-Identifier: Apache-2.0
// java Interop.java client|sockets|server PORT BUNDLE CA: Java's TLS with the bundle.p12 of "seal cert issue".
// client: two requests by HttpClient; sockets: two connections by SSLSocket; server: HTTP, for ever.  The
// name of the server is db.example.com, checked by Java's own rules.

import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLServerSocket;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;

public class Interop {
	static final String NAME = "db.example.com";
	static final char[] PASSWORD = new char[0]; // what "seal cert issue" takes when it is told none

	static SSLContext context(String bundle, String ca) throws Exception {
		KeyStore keys = KeyStore.getInstance("PKCS12");
		try (InputStream in = new FileInputStream(bundle)) {
			keys.load(in, PASSWORD);
		}
		KeyManagerFactory own = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
		own.init(keys, PASSWORD);
		KeyStore anchors = KeyStore.getInstance("PKCS12");
		anchors.load(null, null);
		try (InputStream in = new FileInputStream(ca)) {
			anchors.setCertificateEntry("ca", CertificateFactory.getInstance("X.509").generateCertificate(in));
		}
		TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
		trust.init(anchors);
		SSLContext context = SSLContext.getInstance("TLSv1.3");
		context.init(own.getKeyManagers(), trust.getTrustManagers(), null);
		return context;
	}

	static void client(SSLContext context, int port) throws Exception {
		HttpClient client = HttpClient.newBuilder().sslContext(context).build();
		for (int i = 0; i < 2; i++) {
			HttpResponse<String> answer = client.send(
					HttpRequest.newBuilder(URI.create("https://" + NAME + ":" + port + "/")).build(),
					HttpResponse.BodyHandlers.ofString());
			System.out.println(answer.statusCode() + " " + answer.body().strip());
		}
	}

	static void sockets(SSLContext context, int port) throws Exception {
		long first = 0;
		for (int i = 0; i < 2; i++) {
			try (SSLSocket socket = (SSLSocket) context.getSocketFactory().createSocket(NAME, port)) {
				SSLParameters parameters = socket.getSSLParameters();
				parameters.setEndpointIdentificationAlgorithm("HTTPS");
				socket.setSSLParameters(parameters);
				socket.getOutputStream().write(
						("GET / HTTP/1.0\r\nHost: " + NAME + "\r\n\r\n").getBytes(StandardCharsets.US_ASCII));
				String answer = new String(socket.getInputStream().readAllBytes(), StandardCharsets.US_ASCII);
				long made = socket.getSession().getCreationTime();
				System.out.println(answer.substring(answer.lastIndexOf("\r\n\r\n") + 4).strip()
						+ (i > 0 && made == first ? " resumed" : " full"));
				first = made;
			}
			Thread.sleep(20); // sessions are told apart by the time they were made at
		}
	}

	static void serve(SSLSocket socket) {
		try (socket) {
			StringBuilder request = new StringBuilder();
			while (request.indexOf("\r\n\r\n") < 0) {
				int next = socket.getInputStream().read();
				if (next < 0)
					return;
				request.append((char) next);
			}
			socket.getOutputStream().write(
					"HTTP/1.0 200 OK\r\nContent-Length: 7\r\n\r\nserved\n".getBytes(StandardCharsets.US_ASCII));
		} catch (IOException refused) {
			System.err.println(refused);
		}
	}

	static void server(SSLContext context, int port) throws Exception {
		SSLServerSocket server = (SSLServerSocket) context.getServerSocketFactory()
				.createServerSocket(port, 64, InetAddress.getByName("127.0.0.1"));
		server.setNeedClientAuth(true);
		while (true) {
			SSLSocket socket = (SSLSocket) server.accept();
			new Thread(() -> serve(socket)).start();
		}
	}

	public static void main(String[] words) throws Exception {
		SSLContext context = context(words[2], words[3]);
		int port = Integer.parseInt(words[1]);
		switch (words[0]) {
		case "client" -> client(context, port);
		case "sockets" -> sockets(context, port);
		default -> server(context, port);
		}
	}
}
