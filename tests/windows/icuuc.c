/* Qt6Core imports the converters of ICU, which Windows 10 brings and Wine does not. Here none of them exists:
   ucnv_open fails, and Qt uses its own. */
#define EXPORT __declspec(dllexport)
#define UNSUPPORTED 2 /* U_ILLEGAL_ARGUMENT_ERROR and its like: anything above zero is a failure */

typedef int ErrorCode;

EXPORT void *ucnv_open(const char *name, ErrorCode *error) { (void)name; *error = UNSUPPORTED; return 0; }
EXPORT void ucnv_close(void *converter) { (void)converter; }
EXPORT void ucnv_reset(void *converter) { (void)converter; }
EXPORT signed char ucnv_getMaxCharSize(void *converter) { (void)converter; return 1; }
EXPORT const char *ucnv_getName(void *converter, ErrorCode *error) { (void)converter; *error = UNSUPPORTED; return 0; }
EXPORT const char *ucnv_getStandardName(const char *name, const char *standard, ErrorCode *error) {
  (void)name; (void)standard; *error = UNSUPPORTED; return 0;
}
EXPORT int ucnv_countAvailable(void) { return 0; }
EXPORT const char *ucnv_getAvailableName(int index) { (void)index; return 0; }

/* Called only with a converter that was opened, so never: their arguments do not matter. */
#define NEVER(name) EXPORT void name(void) {}
NEVER(UCNV_FROM_U_CALLBACK_SUBSTITUTE)
NEVER(UCNV_TO_U_CALLBACK_SUBSTITUTE)
NEVER(ucnv_getToUCallBack)
NEVER(ucnv_getFromUCallBack)
NEVER(ucnv_setToUCallBack)
NEVER(ucnv_setFromUCallBack)
NEVER(ucnv_cbToUWriteUChars)
NEVER(ucnv_cbFromUWriteUChars)
NEVER(ucnv_toUnicode)
NEVER(ucnv_fromUnicode)
NEVER(ucnv_toUCountPending)
NEVER(ucnv_fromUCountPending)
