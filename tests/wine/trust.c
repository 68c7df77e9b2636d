/* Adds an authority to those that this user of Windows trusts. The argument is its certificate, in DER form. */
#include <stdio.h>
#include <windows.h>

#include <wincrypt.h>

int main(int argc, char **argv) {
    static unsigned char certificate[65536];
    FILE *const file = argc > 1 ? fopen(argv[1], "rb") : NULL;
    if (file == NULL) return 1;
    const DWORD bytes = (DWORD)fread(certificate, 1, sizeof certificate, file);
    fclose(file);
    const HCERTSTORE roots = CertOpenSystemStoreA(0, "ROOT");
    if (roots == NULL) return 2;
    if (!CertAddEncodedCertificateToStore(roots, X509_ASN_ENCODING, certificate, bytes, CERT_STORE_ADD_ALWAYS, NULL)) return 3;
    return CertCloseStore(roots, 0) ? 0 : 4;
}
