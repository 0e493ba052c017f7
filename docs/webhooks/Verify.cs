// Verify a webhook of Renkei with nothing but .NET 8.
//
// As Program.cs of a console project: dotnet run -- whsec_… ID TIMESTAMP SIGNATURE < body;
// exits with 0 if it is right.

using System.Security.Cryptography;
using System.Text;

using var input = Console.OpenStandardInput();
using var memory = new MemoryStream();
input.CopyTo(memory);
return Verifier.Verify(args[0], args[1], args[2], args[3], memory.ToArray()) ? 0 : 1;

static class Verifier
{
    const long ToleranceSeconds = 300;

    /// <summary>Tells whether a message is genuine and new; the body is the bytes as they came.</summary>
    public static bool Verify(
        string secret, string id, string timestamp, string signature, byte[] body)
    {
        if (!long.TryParse(timestamp, out var seconds)) return false;
        var age = DateTimeOffset.UtcNow.ToUnixTimeSeconds() - seconds;
        if (Math.Abs(age) > ToleranceSeconds) return false;
        var key = Convert.FromBase64String(
            secret.StartsWith("whsec_") ? secret["whsec_".Length..] : secret);
        byte[] signed = [.. Encoding.UTF8.GetBytes($"{id}.{timestamp}."), .. body];
        var made = Convert.ToBase64String(HMACSHA256.HashData(key, signed));
        var expected = Encoding.UTF8.GetBytes($"v1,{made}");
        // Several signatures while secrets change, and of several versions: one right one is enough.
        return signature.Split(' ').Any(given =>
            CryptographicOperations.FixedTimeEquals(expected, Encoding.UTF8.GetBytes(given)));
    }
}
