// Verify a webhook of Renkei with nothing but the JDK (15 or newer).
//
// java Verify.java whsec_… ID TIMESTAMP SIGNATURE < body; exits with 0 if it is right.

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.time.Instant;
import java.util.Base64;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

public class Verify {
    static final long TOLERANCE_SECONDS = 300;

    /** Tells whether a message is genuine and new. The body must be the bytes as they came. */
    static boolean verify(String secret, String id, String timestamp, String signature, byte[] body)
            throws GeneralSecurityException, IOException {
        if (!timestamp.matches("[0-9]{1,12}")) return false;
        long age = Instant.now().getEpochSecond() - Long.parseLong(timestamp);
        if (Math.abs(age) > TOLERANCE_SECONDS) return false;
        byte[] key = Base64.getDecoder().decode(secret.replaceFirst("^whsec_", ""));
        ByteArrayOutputStream signed = new ByteArrayOutputStream();
        signed.write((id + "." + timestamp + ".").getBytes(StandardCharsets.UTF_8));
        signed.write(body);
        Mac mac = Mac.getInstance("HmacSHA256");
        mac.init(new SecretKeySpec(key, "HmacSHA256"));
        String made = Base64.getEncoder().encodeToString(mac.doFinal(signed.toByteArray()));
        byte[] expected = ("v1," + made).getBytes(StandardCharsets.UTF_8);
        // Several signatures while secrets change, and of several versions: one right one is enough.
        for (String given : signature.split(" ")) {
            if (MessageDigest.isEqual(expected, given.getBytes(StandardCharsets.UTF_8))) return true;
        }
        return false;
    }

    public static void main(String[] args) throws Exception {
        byte[] body = System.in.readAllBytes();
        System.exit(verify(args[0], args[1], args[2], args[3], body) ? 0 : 1);
    }
}
