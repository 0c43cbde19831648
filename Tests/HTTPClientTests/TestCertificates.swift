// SPDX-License-Identifier: Apache-2.0

/// Certificates for tests: a CA, and servers and a client that it has signed. They protect nothing.
enum TestCertificates {
    /// The CA.
    static let authority = """
        -----BEGIN CERTIFICATE-----
        MIIBjDCCATGgAwIBAgIUNlrBQtAInIDwidzsI0tF09Z674AwCgYIKoZIzj0EAwIw
        EjEQMA4GA1UEAwwHVGVzdCBDQTAgFw0yNjExMjkwNTE4MzRaGA8yMTI2MTEwNTA1
        MTgzNFowEjEQMA4GA1UEAwwHVGVzdCBDQTBZMBMGByqGSM49AgEGCCqGSM49AwEH
        A0IABDMEtAvVmC4NhIu6vSn7pQnYBmGY24Wfj40wLGokoGcjJWTWY9QOELwn9ElV
        ylzKmzY+LQm+dmv04MUiMjna6iOjYzBhMB0GA1UdDgQWBBTcm/YyUjuJBVB3chrs
        vjHhuN1ymjAfBgNVHSMEGDAWgBTcm/YyUjuJBVB3chrsvjHhuN1ymjAPBgNVHRMB
        Af8EBTADAQH/MA4GA1UdDwEB/wQEAwICBDAKBggqhkjOPQQDAgNJADBGAiEAv1o2
        SftUk3bZEXT4i+teJTSWGlgS1ebyeG7UbDRctS4CIQDrpUsJqLLQX9+c/m+BpCm3
        dHUQGH42ui39Dq9p7c0JYA==
        -----END CERTIFICATE-----
        """
    /// The certificate of localhost.
    static let server = """
        -----BEGIN CERTIFICATE-----
        MIIBlTCCATqgAwIBAgIUUfeuvEIOxTfGRGXai7gV8CZspckwCgYIKoZIzj0EAwIw
        EjEQMA4GA1UEAwwHVGVzdCBDQTAgFw0yNjExMjkwNTM3MzBaGA8yMTI2MTEwNTA1
        MzczMFowETEPMA0GA1UEAwwGc2VydmVyMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcD
        QgAEyrJhp0dLMqrjTW6xjpNVaEfTNjCatUspaJ+W2+lzQuD5AgpcUQXh92IJxtOe
        EaIBCoGnvVOJ7lAyk14NJ58TZ6NtMGswFAYDVR0RBA0wC4IJbG9jYWxob3N0MBMG
        A1UdJQQMMAoGCCsGAQUFBwMBMB0GA1UdDgQWBBRRckPsQV0kDmBqCari9PGH3o2h
        vTAfBgNVHSMEGDAWgBTcm/YyUjuJBVB3chrsvjHhuN1ymjAKBggqhkjOPQQDAgNJ
        ADBGAiEAgFlSxK3TXYMXv/nZHkoM3IKJiAcF1i4qJQyIRL1lewQCIQD/j25Cb1s2
        ZEkg/ilg9eKS7mna5soaB7Ss7Z9BIACteg==
        -----END CERTIFICATE-----
        """
    /// Its key.
    static let serverKey = """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgTpeMX0JBTrVL/6xX
        sRjdQoMvSWNYHOzBAvyt0r2T42OhRANCAATKsmGnR0syquNNbrGOk1VoR9M2MJq1
        Sylon5bb6XNC4PkCClxRBeH3YgnG054RogEKgae9U4nuUDKTXg0nnxNn
        -----END PRIVATE KEY-----
        """
    /// The certificate of 127.0.0.1.
    static let address = """
        -----BEGIN CERTIFICATE-----
        MIIBkTCCATagAwIBAgIUUfeuvEIOxTfGRGXai7gV8CZspcowCgYIKoZIzj0EAwIw
        EjEQMA4GA1UEAwwHVGVzdCBDQTAgFw0yNjExMjkwNTM3MzBaGA8yMTI2MTEwNTA1
        MzczMFowEjEQMA4GA1UEAwwHYWRkcmVzczBZMBMGByqGSM49AgEGCCqGSM49AwEH
        A0IABNKWXaVGeUP+YmvgjEP/YuEFRKVNOo70nDenKQoGxSLGQ/FDuKsgPBqJJ9UT
        RyQeP0BaqwAJ1QXUDsRVQmgio5ujaDBmMA8GA1UdEQQIMAaHBH8AAAEwEwYDVR0l
        BAwwCgYIKwYBBQUHAwEwHQYDVR0OBBYEFNIgVDYmsfkncuVuCY8gSfEYeS8UMB8G
        A1UdIwQYMBaAFNyb9jJSO4kFUHdyGuy+MeG43XKaMAoGCCqGSM49BAMCA0kAMEYC
        IQCd/H5Fa3gVGS5Eu2k0Wy4jmjAKk6P9gcJqzGcMhirkewIhAIs+YOMV5/EB7bms
        hGk3TUjvhoLxesM9vQ3FYAHottUg
        -----END CERTIFICATE-----
        """
    /// Its key.
    static let addressKey = """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgeKikj9Qd3VyCT71d
        ld0qluK8Z4Y5oLwNT/GxIZK6HxqhRANCAATSll2lRnlD/mJr4IxD/2LhBUSlTTqO
        9Jw3pykKBsUixkPxQ7irIDwaiSfVE0ckHj9AWqsACdUF1A7EVUJoIqOb
        -----END PRIVATE KEY-----
        """
    /// The client's certificate.
    static let client = """
        -----BEGIN CERTIFICATE-----
        MIIBpDCCAUqgAwIBAgIUUfeuvEIOxTfGRGXai7gV8CZspcgwCgYIKoZIzj0EAwIw
        EjEQMA4GA1UEAwwHVGVzdCBDQTAgFw0yNjExMjkwNTE4MzRaGA8yMTI2MTEwNTA1
        MTgzNFowETEPMA0GA1UEAwwGY2xpZW50MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcD
        QgAEfHerhRkQsBpe/ITUBVdSqnoWGjTrPEcZTIgndObLtzzrcksA73tJOYW1x1gl
        B2S1VCJ3aUMwFuxqvV/0/ocqlqN9MHswGgYDVR0RBBMwEYIJbG9jYWxob3N0hwR/
        AAABMB0GA1UdJQQWMBQGCCsGAQUFBwMBBggrBgEFBQcDAjAdBgNVHQ4EFgQUZ79X
        PB3zvpkEc2m66VB3rtroLJAwHwYDVR0jBBgwFoAU3Jv2MlI7iQVQd3Ia7L4x4bjd
        cpowCgYIKoZIzj0EAwIDSAAwRQIgTQ4mgmjmFhEoOoO3suXqz439h5ysXW63gzCA
        eVQ8dEACIQDPZU7sfcIwO9zy8h80gWNhNgQkLEYyoTdgqdfqLZcTQw==
        -----END CERTIFICATE-----
        """
    /// Its key.
    static let clientKey = """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg/sQ8tbR4m+5Gm1o2
        0Ye0/VxVpHU+nHt5Zcya5PF4CNOhRANCAAR8d6uFGRCwGl78hNQFV1KqehYaNOs8
        RxlMiCd05su3POtySwDve0k5hbXHWCUHZLVUIndpQzAW7Gq9X/T+hyqW
        -----END PRIVATE KEY-----
        """
    /// A certificate of localhost that has expired, and is its own CA.
    static let expired = """
        -----BEGIN CERTIFICATE-----
        MIIBVzCB/qADAgECAgEBMAoGCCqGSM49BAMCMBIxEDAOBgNVBAMMB2V4cGlyZWQw
        HhcNMjAwMTAxMDAwMDAwWhcNMjEwMTAxMDAwMDAwWjASMRAwDgYDVQQDDAdleHBp
        cmVkMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAELQubB/8qHoJPQ9DTEgffDISh
        3YDKe50nQSWAwr7jTWzVVPCdikv+b1u6Z3cjr0UALDOUXExWDkaaR3dxAla+DqNF
        MEMwFAYDVR0RBA0wC4IJbG9jYWxob3N0MAwGA1UdEwQFMAMBAf8wHQYDVR0OBBYE
        FN/fmjR08Tn85ipmeHxtb4otOm1aMAoGCCqGSM49BAMCA0gAMEUCIBLmCObsRUFu
        7RPCpzOO3GfIADQSr1J0vAK9hYAW2/QFAiEA0NCV1MHQMvnnhc1kvfxHKA3JOABv
        Npi8ARkqW1xR3BM=
        -----END CERTIFICATE-----
        """
    /// Its key.
    static let expiredKey = """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg9VfwNDJzRIi+q+Z7
        5qMyR+8QjSPwOIHnybmMKI5kdMKhRANCAAQtC5sH/yoegk9D0NMSB98MhKHdgMp7
        nSdBJYDCvuNNbNVU8J2KS/5vW7pndyOvRQAsM5RcTFYORppHd3ECVr4O
        -----END PRIVATE KEY-----
        """
}
