<?php
// Verify a webhook of Renkei with nothing but PHP 8.
//
// php verify.php whsec_… ID TIMESTAMP SIGNATURE < body; exits with 0 if it is right.

declare(strict_types=1);

const TOLERANCE_SECONDS = 300;

/** Tells whether a message is genuine and new. $body must be the bytes as they came. */
function verify(string $secret, string $id, string $timestamp, string $signature, string $body): bool
{
    if (!ctype_digit($timestamp) || abs(time() - (int) $timestamp) > TOLERANCE_SECONDS) {
        return false;
    }
    $key = base64_decode(preg_replace('/^whsec_/', '', $secret), true);
    $made = hash_hmac('sha256', "$id.$timestamp.$body", $key, true);
    $expected = 'v1,' . base64_encode($made);
    // Several signatures while secrets change, and of several versions: one that is right is enough.
    foreach (explode(' ', $signature) as $given) {
        if (hash_equals($expected, $given)) {
            return true;
        }
    }
    return false;
}

[, $secret, $id, $timestamp, $signature] = $argv;
exit(verify($secret, $id, $timestamp, $signature, stream_get_contents(STDIN)) ? 0 : 1);
