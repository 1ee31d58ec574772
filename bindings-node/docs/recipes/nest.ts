import { Controller, Get, HttpException, Inject, Injectable, Module, Post, Req, Res, UseGuards } from '@nestjs/common';
import type { CanActivate, DynamicModule, ExecutionContext } from '@nestjs/common';
import type { Request, Response } from 'express';
import type { Auth } from 'regrant';
import { authOf, loginResponse, logoutHandler, refreshHandler } from 'regrant/express';
import { authenticate } from 'regrant/http';

export const AUTH = Symbol('the auth object');

/** Accepts requests with a valid access token, and sets `req.auth`. */
@Injectable()
export class AuthGuard implements CanActivate {
  constructor(@Inject(AUTH) private readonly auth: Auth) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const http = context.switchToHttp();
    const request = http.getRequest<Request>();
    const decision = await authenticate(this.auth, request);
    if (decision.ok) {
      Object.assign(request, { auth: decision.auth });
      return true;
    }
    const { status, headers, cookies, body } = decision.answer;
    const response = http.getResponse<Response>().set({ ...headers });
    for (const cookie of cookies) response.append('Set-Cookie', cookie);
    // A plain copy, because Nest takes the body apart. A CORS preflight has none.
    throw new HttpException(body ? (JSON.parse(JSON.stringify(body)) as object) : '', status, { cause: decision.error });
  }
}

@Controller()
export class AppController {
  constructor(@Inject(AUTH) private readonly auth: Auth) {}

  @Post('login')
  async login(@Res() res: Response): Promise<void> {
    loginResponse(this.auth, res, await this.auth.login('user-1'));
  }

  @Get('me')
  @UseGuards(AuthGuard)
  me(@Req() req: Request): object {
    return { id: authOf(req).subject };
  }
}

/** Refresh and logout are the handlers of Express, which Nest runs on by default. */
@Module({ controllers: [AppController] })
export class AppModule {
  static with(auth: Auth): DynamicModule {
    return { module: AppModule, providers: [{ provide: AUTH, useValue: auth }, AuthGuard] };
  }

  static mount(app: { use(path: string, handler: unknown): unknown }, auth: Auth): void {
    app.use('/auth/refresh', refreshHandler(auth));
    app.use('/auth/logout', logoutHandler(auth));
  }
}
