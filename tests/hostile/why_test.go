package hostile_test

// Why nginx or HAProxy sees a row differently, and we leave it so. Each becomes a
// section of docs/http-conformance.md.
const (
	whyFirstLine = "The first line is three words with one space between them. RFC 9112 section 3 lets a " +
		"recipient be more lenient; it gains nothing."
	whyOldest = "A request without a version is one of HTTP/0.9, which is no more; " +
		"nginx answers it, without a head."
	whyVersion = "A version is a digit, a dot and a digit (RFC 9112 section 2.3), and 505 is for a major one " +
		"that is not spoken (RFC 9110 section 15.6.6)."
	whyEmptyLines = "RFC 9112 section 2.2 has at least one empty line in front of a request passed over. More " +
		"are not; whoever counts them differently would see other requests."
	whyLineFeed = "A bare line feed may be taken for the end of a line (RFC 9112 section 2.2), and Node's " +
		"llhttp, for one, does not: it sees other fields, and another end of the head."
	whyHost = "400 for a Host that is none, or is there twice (RFC 9112 section 3.2): workers choose " +
		"sites and make links by it."
	whyTarget = "400 for a target of no form, or of one that has no place there (RFC 9112 section 3.2): " +
		"each would take it for something else."
	whyFragment = "A target has no fragment. Who cuts it off sees another path than who does not."
	whyPath     = "A path that leads out of the root, or has a NUL in it, is of no use but to attackers: " +
		"workers map paths to files."
	whyRaw = "RFC 3986 would have such bytes escaped. Curl and others send them as they " +
		"are, and so they reach the worker."
	whyAbsolute = "In absolute form the target's authority counts, and not the Host field (RFC 9112 section " +
		"3.2.2); its path may be empty (RFC 3986 section 3.3)."
	whyAsterisk = "OPTIONS of * is about the server as a whole (RFC 9110 section 9.3.7), which says that it " +
		"is there. No worker is asked."
	whyConnect = "There are no tunnels here: 501, and the end of the connection, since what " +
		"follows may be meant for the tunnel."
	whyMethod = "A method is any token, and its case counts (RFC 9110 section 9.1). Whether it " +
		"is allowed the worker decides."
	whyTrace = "405 for TRACE: its answer would show the client what those in front have added. With " +
		"--allow-trace the worker decides."
	whyLimit   = "Each has limits of its own. Ours are --header-limit and --field-limit."
	whySpace   = "Around a value there may be spaces and tabs (RFC 9110 section 5.6.3)."
	whyFolding = "A folded field has to be refused, or its folds replaced (RFC 9112 section 5.2). Who does " +
		"not know of it sees another field in the second line."
	whyName  = "A name is a token (RFC 9110 section 5.6.2). Nginx passes over a field that has none."
	whyValue = "Control characters have no place in a value (RFC 9110 section 5.5). Nginx leaves that to " +
		"the server behind it, and takes two carriage returns for one."
	whyLengths = "RFC 9112 section 6.3 lets a recipient take lengths that are equal for one. Not everybody does."
	whyBoth    = "RFC 9112 section 6.3 lets a recipient go by the chunks and close the connection; " +
		"it may refuse as well, as nginx does."
	whyOldCoding = "HTTP/1.0 knows no transfer coding: the framing is faulty (RFC 9112 section " +
		"6.1), and refused as by nginx."
	whySize     = "No size needs more than 16 digits. Who counts in 64 bits reads another number."
	whyChunkEnd = "The lines of chunks end in a carriage return and a line feed (RFC 9112 section 7.1). Who " +
		"goes on to look for the first sees other chunks."
	whyExtension = "A chunk's line is a size, a semicolon and an extension, or a size alone (RFC 9112 section " +
		"7.1.1). Spaces before the semicolon, which net/http does not take, are there for the sake of old senders only."
	whyExtensionSize = "Extensions are bounded: 4 KiB each, and all of them by the data that they come with. " +
		"Nobody else would pay for them."
	whyTrailer = "Trailers are fields, and follow the rules of fields; " +
		"they end like chunks. Nginx throws them away without a look, HAProxy takes bare line feeds and folds."
	whyTrailerSize = "Trailers are bounded: 4 KiB. Nginx throws them away."
	whyExpectation = "417 for what cannot be met (RFC 9110 section 10.1.1). The client may send its body or not, " +
		"so that the connection ends."
	whyTwice = "Expect is a list (RFC 9110 section 10.1.1), in which the same may stand twice."
)
