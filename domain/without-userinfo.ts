const userinfo = /\b([a-z][a-z\d+.-]*:\/{2,})[^\s/?#"'<>]*@/gi;

/** A text whose URLs show no user name and no password: `https://…@host/path`. */
export const withoutUserinfo = (text: string): string => text.replaceAll(userinfo, '$1…@');
