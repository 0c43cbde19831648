// SPDX-License-Identifier: Apache-2.0

/// Certificates for tests: a CA, and servers and a client that it has signed. They protect nothing, and are valid from 2000
/// to 2100, whatever a machine's clock shows.
enum TestCertificates {
    /// The CA.
    static let authority = """
        -----BEGIN CERTIFICATE-----
        MIIBWDCB/qADAgECAgIQADAKBggqhkjOPQQDAjASMRAwDgYDVQQDDAdUZXN0IENB
        MCAXDTAwMDEwMTAwMDAwMFoYDzIxMDAwMTAxMDAwMDAwWjASMRAwDgYDVQQDDAdU
        ZXN0IENBMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEhdMhKTU3K9gwa8TPjn9O
        pLay8AlcuxgVKanpY7MGEoamKLS0HVNTsLOsY33OMKmQzB/AHkf+S8rZy7HmVl2g
        WqNCMEAwDwYDVR0TAQH/BAUwAwEB/zAOBgNVHQ8BAf8EBAMCAgQwHQYDVR0OBBYE
        FF22G7Yk5TvpaSkRFmDUQkfhnIkjMAoGCCqGSM49BAMCA0kAMEYCIQDCekdwC/1T
        EpWNEdzVR43HCFNTC5iUUUuL3ycZaZ4U3wIhAKSa0h2JNLI8H1NpWb+L5zszNqvO
        MopkErmRNIE770mi
        -----END CERTIFICATE-----
        """
    /// The certificate of localhost.
    static let server = """
        -----BEGIN CERTIFICATE-----
        MIIBgzCCASigAwIBAgICEAEwCgYIKoZIzj0EAwIwEjEQMA4GA1UEAwwHVGVzdCBD
        QTAgFw0wMDAxMDEwMDAwMDBaGA8yMTAwMDEwMTAwMDAwMFowETEPMA0GA1UEAwwG
        c2VydmVyMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEyrJhp0dLMqrjTW6xjpNV
        aEfTNjCatUspaJ+W2+lzQuD5AgpcUQXh92IJxtOeEaIBCoGnvVOJ7lAyk14NJ58T
        Z6NtMGswFAYDVR0RBA0wC4IJbG9jYWxob3N0MBMGA1UdJQQMMAoGCCsGAQUFBwMB
        MB0GA1UdDgQWBBRRckPsQV0kDmBqCari9PGH3o2hvTAfBgNVHSMEGDAWgBRdthu2
        JOU76WkpERZg1EJH4ZyJIzAKBggqhkjOPQQDAgNJADBGAiEAgzeGz3SD2LY53c2d
        pceH+hdWc0ObS+ETVq/v+Qvn7y8CIQCkddic2I5InHippYgE2AHsILlS3NULj6VX
        ecGpZZVqiQ==
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
        MIIBfjCCASSgAwIBAgICEAIwCgYIKoZIzj0EAwIwEjEQMA4GA1UEAwwHVGVzdCBD
        QTAgFw0wMDAxMDEwMDAwMDBaGA8yMTAwMDEwMTAwMDAwMFowEjEQMA4GA1UEAwwH
        YWRkcmVzczBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABNKWXaVGeUP+YmvgjEP/
        YuEFRKVNOo70nDenKQoGxSLGQ/FDuKsgPBqJJ9UTRyQeP0BaqwAJ1QXUDsRVQmgi
        o5ujaDBmMA8GA1UdEQQIMAaHBH8AAAEwEwYDVR0lBAwwCgYIKwYBBQUHAwEwHQYD
        VR0OBBYEFNIgVDYmsfkncuVuCY8gSfEYeS8UMB8GA1UdIwQYMBaAFF22G7Yk5Tvp
        aSkRFmDUQkfhnIkjMAoGCCqGSM49BAMCA0gAMEUCIBc5roC85xzOgKsOT8Ja+kW9
        kqUgIOhV7zow/DW3wP+jAiEAn2nsVL8WC7TQj20dYRZrOIFQB6AHX3xE8m06XOet
        +KY=
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
        MIIBkjCCATigAwIBAgICEAMwCgYIKoZIzj0EAwIwEjEQMA4GA1UEAwwHVGVzdCBD
        QTAgFw0wMDAxMDEwMDAwMDBaGA8yMTAwMDEwMTAwMDAwMFowETEPMA0GA1UEAwwG
        Y2xpZW50MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEfHerhRkQsBpe/ITUBVdS
        qnoWGjTrPEcZTIgndObLtzzrcksA73tJOYW1x1glB2S1VCJ3aUMwFuxqvV/0/ocq
        lqN9MHswGgYDVR0RBBMwEYIJbG9jYWxob3N0hwR/AAABMB0GA1UdJQQWMBQGCCsG
        AQUFBwMBBggrBgEFBQcDAjAdBgNVHQ4EFgQUZ79XPB3zvpkEc2m66VB3rtroLJAw
        HwYDVR0jBBgwFoAUXbYbtiTlO+lpKREWYNRCR+GciSMwCgYIKoZIzj0EAwIDSAAw
        RQIgE5Ll12RiKVfrUg+LO7RYPAWyZRJt/n5JI6IemRCHph8CIQCnbSPip7XsNztd
        RBRls5PSko7U+LjnaOLSXCUg7QIyog==
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
